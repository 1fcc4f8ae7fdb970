import assert from "node:assert/strict";
import { once } from "node:events";
import { setTimeout as delay } from "node:timers/promises";
import { kill, startTime } from "../../src/util/process.ts";
import { startServer, type TestServer } from "../support/server.ts";
import { faultRoots, Load, type LoadReport } from "./load.ts";
import { draftsIn, jobProcesses, processesOf, workersOf } from "./processes.ts";
import { pick } from "./seeded.ts";

const victims = ["service", "service", "supervisor", "action", "worker"] as const;
type Victim = (typeof victims)[number];
const longestPauseMs = 400;

export interface KillReport extends LoadReport {
  kills: Record<Victim, number>;
}

/**
 * Kills the service, and supervisors, actions and workers of it, at random moments while jobs are submitted and watched and
 * runs are called. Throws where one job that was acknowledged did not run exactly once, has no end or two, a gap in its
 * events, or another end than it had; and where anything of them is left.
 */
export async function killAtRandom({ kills, seed }: { kills: number; seed: number }): Promise<KillReport> {
  await using server = await startServer({ roots: faultRoots, args: ["--max-workers", "2"] });
  using load = new Load(server, seed);
  const done = { service: 0, supervisor: 0, action: 0, worker: 0 };
  await load.during(async () => {
    for (let count = 0; count < kills; ) {
      await once(load.life, "sign");
      await delay(load.random() * longestPauseMs);
      const victim = pick(load.random, victims) ?? "service";
      if (!(await killOne(server, victim, load))) continue;
      done[victim]++;
      count++;
    }
  });
  assert.equal(await server.end("SIGTERM"), 0);
  assert.deepEqual(draftsIn(server.dataDir), [], "no draft of a file is left");
  assert.deepEqual(processesOf(server.dataDir), [], "no process is left");
  return { ...load.report, kills: done };
}

/** False where there is nothing of the kind at this moment. */
async function killOne(server: TestServer, victim: Victim, { random, hurt }: Load): Promise<boolean> {
  if (victim === "service") {
    await server.end("SIGKILL");
    await delay(random() * longestPauseMs);
    await server.start();
    return true;
  }
  if (victim === "worker") {
    const pid = pick(random, workersOf(server.pid));
    if (pid !== undefined) kill(pid, "SIGKILL");
    return pid !== undefined;
  }
  const running = jobProcesses(server.dataDir).filter(({ supervisor }) => startTime(supervisor) !== undefined);
  const job = pick(random, running);
  if (job === undefined) return false;
  hurt.add(job.jobId);
  kill(job[victim], "SIGKILL");
  return true;
}
