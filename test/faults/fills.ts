import assert from "node:assert/strict";
import { once } from "node:events";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { startServer } from "../support/server.ts";
import { smallDisk } from "../support/small-disk.ts";
import { faultRoots, Load, type LoadReport } from "./load.ts";
import { draftsIn, processesOf } from "./processes.ts";

const longestPauseMs = 400;
const longestFullMs = 1500;

/**
 * Fills the disk of the service's data to the last byte, again and again at random moments, for up to a second and a half
 * each, while jobs are submitted, watched and run. Throws where one of them ends otherwise than on a disk with room.
 */
export async function fillAtRandom({ fills, seed }: { fills: number; seed: number }): Promise<LoadReport> {
  using disk = smallDisk("size=64m");
  const dataDir = join(disk.path, "data");
  const args = ["--max-workers", "2", "--disk-reserve", "0"];
  await using server = await startServer({ roots: faultRoots, dataDir, args });
  using load = new Load(server, seed);
  await load.during(async () => {
    for (let count = 0; count < fills; count++) {
      await once(load.life, "sign");
      await delay(load.random() * longestPauseMs);
      disk.fill(0);
      await delay(load.random() * longestFullMs);
      disk.free();
    }
  });
  assert.equal(await server.end("SIGTERM"), 0);
  assert.deepEqual(draftsIn(dataDir), [], "no draft of a file is left");
  assert.deepEqual(processesOf(dataDir), [], "no process is left");
  return load.report;
}
