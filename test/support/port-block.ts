import { once } from "node:events";
import { createServer, type Server } from "node:net";

/** Below them Ray has ports of its own; from there on the kernel gives ports to whoever asks for any. */
const range = { first: 20_000, end: 32_768 };

/** Ports that nobody else takes, for a program that cannot take any and say which. Its disposal gives them back. */
export interface PortBlock extends AsyncDisposable {
  readonly ports: readonly number[];
}

/**
 * Takes ports that are free, beyond those that the kernel gives away. The first port of a block stays bound: that is how
 * others who want blocks know that all of it is taken.
 */
export async function takePorts(count: number): Promise<PortBlock> {
  const size = count + 1;
  const blocks = Math.floor((range.end - range.first) / size);
  const start = Math.floor(Math.random() * blocks);
  for (let tried = 0; tried < blocks; tried++) {
    const first = range.first + ((start + tried) % blocks) * size;
    const mark = await bind(first);
    if (mark === undefined) continue;
    const ports = Array.from({ length: count }, (_, index) => first + 1 + index);
    if (await areFree(ports)) return { ports, [Symbol.asyncDispose]: () => close(mark) };
    await close(mark);
  }
  throw new Error(`No ${size} ports in a row are free from ${range.first} to ${range.end}.`);
}

async function areFree(ports: readonly number[]): Promise<boolean> {
  const servers = await Promise.all(ports.map(bind));
  await Promise.all(servers.map((server) => server && close(server)));
  return !servers.includes(undefined);
}

async function bind(port: number): Promise<Server | undefined> {
  const server = createServer().listen(port, "127.0.0.1");
  try {
    await once(server, "listening");
    return server.unref();
  } catch {
    return undefined;
  }
}

async function close(server: Server): Promise<void> {
  await once(server.close(), "close");
}
