import { Client, credentials } from "@grpc/grpc-js";
import { manyPlugins } from "./plugins.ts";
import { type Line, median, milliseconds, startService, temporaryFolder, timeProcess, writeFiles } from "./support.ts";

const rounds = 7;

/** From the start of the process to its answer to a health check, beside a Node that does nothing. */
export async function start(): Promise<Line[]> {
  using root = temporaryFolder();
  writeFiles(root.path, manyPlugins(20));
  const floors: number[] = [];
  const times: number[] = [];
  for (let round = 0; round < rounds; round++) {
    floors.push(await timeProcess(process.execPath, ["-e", "0"]));
    times.push(await timeUntilHealthy(root.path));
  }
  const over = median(times) - median(floors);
  return [
    {
      what: "`serve` until it answers a health check, 20 plugins",
      floor: milliseconds(median(floors)),
      measured: milliseconds(median(times)),
      difference: `+ ${milliseconds(over)}`,
      target: "≤ + 600 ms",
      kept: over <= 600,
    },
  ];
}

async function timeUntilHealthy(root: string): Promise<number> {
  using data = temporaryFolder();
  const began = performance.now();
  await using service = await startService(root, data.path);
  if (!(await isServing(service.address))) throw new Error("The service listens, but does not serve.");
  return performance.now() - began;
}

/** Asks `grpc.health.v1`, whose messages are small enough to be written by hand. */
async function isServing(address: string): Promise<boolean> {
  const client = new Client(address, credentials.createInsecure());
  const { promise, resolve, reject } = Promise.withResolvers<boolean>();
  const emptyRequest = () => Buffer.alloc(0);
  const serving = (response: Buffer) => response.equals(Buffer.of(0x08, 0x01));
  client.makeUnaryRequest("/grpc.health.v1.Health/Check", emptyRequest, serving, {}, (error, is) => {
    client.close();
    if (error) reject(error);
    else resolve(is ?? false);
  });
  return promise;
}
