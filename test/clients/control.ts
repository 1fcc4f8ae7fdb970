import { once } from "node:events";
import { createServer, type Server, type Socket } from "node:net";

/** A server of a test, and its `host:port`. */
export interface Listening {
  server: Server;
  address: string;
}

/** Listens on a free port. */
export function listen(taken: (socket: Socket) => void): Promise<Listening> {
  return listening(createServer({}, taken));
}

/** The same for a server that there is. */
export async function listening(server: Server): Promise<Listening> {
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const address = server.address();
  if (address === null || typeof address === "string") throw new Error("There is no port.");
  return { server, address: `127.0.0.1:${address.port}` };
}
