import assert from "node:assert/strict";
import { EventEmitter, once } from "node:events";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { type Job, JobState } from "../../gen/ts/pluginrunner/v1/job_pb.ts";
import type { WatchJobResponse } from "../../gen/ts/pluginrunner/v1/plugin_runner_pb.ts";
import { ExecutionError } from "../../src/client.ts";
import { kill, startTime } from "../../src/util/process.ts";
import { hasProgress, recordWatch } from "../support/recorded-watch.ts";
import { project, startServer, type TestServer } from "../support/server.ts";
import { validateWholeWatch } from "../support/watch-validator.ts";
import { draftsIn, jobProcesses, processesOf, workersOf } from "./processes.ts";
import { pick, seeded } from "./seeded.ts";

const victims = ["service", "service", "supervisor", "action", "worker"] as const;
type Victim = (typeof victims)[number];
const languages = ["steps_js", "steps_py"] as const;
/** Told of every run that was answered and of every job that made a step: the moments between which is killed. */
type Life = EventEmitter<{ sign: [] }>;

const jobsAtATime = 6;
const runsAtATime = 2;

export interface KillReport {
  kills: Record<Victim, number>;
  jobs: number;
  /** Jobs that lost a process of theirs, and said so. */
  lost: number;
  runs: number;
  /** Runs that lost their worker or their server, and said so. */
  failedRuns: number;
}

/**
 * Kills the service, and supervisors, actions and workers of it, at random moments while jobs are submitted and watched and
 * runs are called. Throws where one job that was acknowledged did not run exactly once, has no end or two, a gap in its
 * events, or another end than it had; and where anything of them is left.
 */
export async function killAtRandom({ kills, seed }: { kills: number; seed: number }): Promise<KillReport> {
  const dir = mkdtempSync(join(tmpdir(), "faults-"));
  const starts = join(dir, "starts");
  writeFileSync(starts, "");
  const random = seeded(seed);
  const over = new AbortController();
  const hurt = new Set<string>();
  const life: Life = new EventEmitter();
  const report: KillReport = {
    kills: { service: 0, supervisor: 0, action: 0, worker: 0 },
    jobs: 0,
    lost: 0,
    runs: 0,
    failedRuns: 0,
  };
  const server = await startServer({ roots: [join(project, "test/fixtures/faults")], args: ["--max-workers", "2"] });
  try {
    const load = [
      ...Array.from({ length: jobsAtATime }, () =>
        submitAndCheck(server, starts, random, hurt, report, life, over.signal),
      ),
      ...Array.from({ length: runsAtATime }, () => callAndCheck(server, starts, random, report, life, over.signal)),
    ];
    const working = Promise.all(load);
    await Promise.race([killSome(server, kills, random, hurt, report, life), working]);
    over.abort();
    await working;
    checkStarts(starts, hurt);
    assert.equal(await server.end("SIGTERM"), 0);
    assert.deepEqual(draftsIn(server.dataDir), [], "no draft of a file is left");
    assert.deepEqual(processesOf(server.dataDir), [], "no process is left");
    return report;
  } finally {
    over.abort();
    await server[Symbol.asyncDispose]();
    rmSync(dir, { recursive: true, force: true });
  }
}

async function killSome(
  server: TestServer,
  kills: number,
  random: () => number,
  hurt: Set<string>,
  report: KillReport,
  life: Life,
) {
  for (let done = 0; done < kills; ) {
    await once(life, "sign");
    await delay(random() * 400);
    const victim = pick(random, victims) ?? "service";
    if (!(await killOne(server, victim, random, hurt))) continue;
    report.kills[victim]++;
    done++;
  }
}

/** False where there is nothing of the kind at this moment. */
async function killOne(server: TestServer, victim: Victim, random: () => number, hurt: Set<string>): Promise<boolean> {
  if (victim === "service") {
    await server.end("SIGKILL");
    await delay(random() * 300);
    await server.start();
    return true;
  }
  const jobs = jobProcesses(server.dataDir).filter(({ supervisor }) => startTime(supervisor) !== undefined);
  if (victim === "worker") {
    const pid = pick(random, workersOf(server.pid));
    if (pid !== undefined) kill(pid, "SIGKILL");
    return pid !== undefined;
  }
  const job = pick(random, jobs);
  if (job === undefined) return false;
  hurt.add(job.jobId);
  kill(job[victim], "SIGKILL");
  return true;
}

async function submitAndCheck(
  server: TestServer,
  starts: string,
  random: () => number,
  hurt: ReadonlySet<string>,
  report: KillReport,
  life: Life,
  signal: AbortSignal,
) {
  while (!signal.aborted) {
    const jobId = `job-${++report.jobs}`;
    const count = 5 + Math.floor(random() * 40);
    const params = { starts, id: jobId, count, pauseMs: 10 };
    const plugin = pick(random, languages) ?? "steps_js";
    await whileAway(() => server.client.submitJob(plugin, "steps", params, { jobId }));
    const events = validateWholeWatch(await recordWatch(server.address, jobId, { until: told(life) }));
    const job = await whileAway(() => server.client.getJob(jobId));
    if (job.state !== JobState.SUCCEEDED && hurt.has(jobId)) {
      assert.equal(job.error?.reason, "WORKER_LOST", `${jobId} was killed: ${job.error?.message}`);
      report.lost++;
      continue;
    }
    assert.ok(job.state === JobState.SUCCEEDED, `${jobId}: ${job.error?.reason} ${job.error?.message}`);
    assert.equal(resultOf(job), count);
    const printed = events.flatMap(({ payload }) => (payload.case === "log" ? [payload.value.message] : []));
    assert.deepEqual(
      printed.filter((line) => line.startsWith("step ")),
      Array.from({ length: count }, (_, index) => `step ${index + 1}`),
      jobId,
    );
  }
}

async function callAndCheck(
  server: TestServer,
  starts: string,
  random: () => number,
  report: KillReport,
  life: Life,
  signal: AbortSignal,
) {
  while (!signal.aborted) {
    report.runs++;
    const params = { starts, id: "run", count: 3, pauseMs: 5 };
    try {
      const result = await server.client.runPlugin(pick(random, languages) ?? "steps_js", "steps", params, {
        mode: "task",
      });
      assert.equal(result, 3);
      life.emit("sign");
    } catch (error) {
      if (!(error instanceof ExecutionError)) throw error;
      assert.ok(["WORKER_LOST", "UNAVAILABLE"].includes(error.reason), `${error.reason}: ${error.message}`);
      report.failedRuns++;
    }
  }
}

function told(life: Life) {
  return (message: WatchJobResponse) => {
    if (hasProgress(message)) life.emit("sign");
    return false;
  };
}

/** Asks again for as long as nobody answers, or the worker is killed that was to check the params. */
async function whileAway<T>(ask: () => Promise<T>): Promise<T> {
  while (true) {
    try {
      return await ask();
    } catch (error) {
      if (!(error instanceof ExecutionError) || !["UNAVAILABLE", "WORKER_LOST"].includes(error.reason)) throw error;
      await delay(50);
    }
  }
}

function checkStarts(starts: string, hurt: ReadonlySet<string>): void {
  const counts = new Map<string, number>();
  for (const id of readFileSync(starts, "utf8")
    .split("\n")
    .filter((line) => line.startsWith("job-"))) {
    counts.set(id, (counts.get(id) ?? 0) + 1);
  }
  const wrong = [...counts].filter(([, count]) => count > 1);
  assert.deepEqual(wrong, [], `no job started twice (${hurt.size} lost a process)`);
}

function resultOf({ result }: Job): number | undefined {
  return result?.kind.case === "numberValue" ? result.kind.value : undefined;
}
