import assert from "node:assert/strict";
import { EventEmitter } from "node:events";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import type { JobEvent } from "../../gen/ts/pluginrunner/v1/job_event_pb.ts";
import { type Job, JobState } from "../../gen/ts/pluginrunner/v1/job_pb.ts";
import type { WatchJobResponse } from "../../gen/ts/pluginrunner/v1/plugin_runner_pb.ts";
import { ExecutionError } from "../../src/client.ts";
import { hasProgress, recordWatch } from "../support/recorded-watch.ts";
import { project, type TestServer } from "../support/server.ts";
import { validateWholeWatch } from "../support/watch-validator.ts";
import { pick, seeded } from "./seeded.ts";

export const faultRoots = [join(project, "test/fixtures/faults")];

const languages = ["steps_js", "steps_py"] as const;
const jobsAtATime = 6;
const runsAtATime = 2;

/** What a run or a submission may say while the service, its workers or its disk are being hurt: nothing was lost by it. */
const passing = ["UNAVAILABLE", "WORKER_LOST", "STORAGE_UNAVAILABLE", "ENGINE_UNAVAILABLE"];

/** What was done, and what became of it. */
export interface LoadReport {
  jobs: number;
  /** Jobs that lost a process of theirs, and said so. */
  lost: number;
  runs: number;
  /** Runs that lost their worker or their server, and said so. */
  failedRuns: number;
}

/** Submits and watches jobs and calls runs, in both languages, and holds each to what was promised of it. */
export class Load implements Disposable {
  readonly report: LoadReport = { jobs: 0, lost: 0, runs: 0, failedRuns: 0 };
  /** Jobs of which a process was killed: they may be WORKER_LOST. */
  readonly hurt = new Set<string>();
  /** Told of every run that was answered and of every job that makes a step: the moments to do harm. */
  readonly life = new EventEmitter<{ sign: [] }>();
  readonly random: () => number;
  readonly #server: TestServer;
  readonly #dir = mkdtempSync(join(tmpdir(), "faults-"));
  readonly #starts = join(this.#dir, "starts");
  readonly #over = new AbortController();

  constructor(server: TestServer, seed: number) {
    this.#server = server;
    this.random = seeded(seed);
    writeFileSync(this.#starts, "");
  }

  /** Works until `harm` is done and what was begun has ended. Throws when one promise is broken. */
  async during(harm: () => Promise<void>): Promise<void> {
    const working = Promise.all([
      ...Array.from({ length: jobsAtATime }, () => this.#submitAndCheck()),
      ...Array.from({ length: runsAtATime }, () => this.#callAndCheck()),
    ]);
    try {
      await Promise.race([harm(), working]);
    } finally {
      this.#over.abort();
    }
    await working;
    this.#checkStarts();
  }

  [Symbol.dispose](): void {
    this.#over.abort();
    rmSync(this.#dir, { recursive: true, force: true });
  }

  async #submitAndCheck(): Promise<void> {
    const { report, hurt } = this;
    while (!this.#over.signal.aborted) {
      const jobId = `job-${++report.jobs}`;
      const count = 5 + Math.floor(this.random() * 40);
      const params = { starts: this.#starts, id: jobId, count, pauseMs: 10 };
      const plugin = this.#plugin();
      await untilAnswered(() => this.#server.client.submitJob(plugin, "steps", params, { jobId }));
      const events = validateWholeWatch(await recordWatch(this.#server.address, jobId, { until: this.#tell }));
      const job = await untilAnswered(() => this.#server.client.getJob(jobId));
      if (job.error?.reason === "WORKER_LOST" && hurt.has(jobId)) {
        report.lost++;
        continue;
      }
      assert.ok(job.state === JobState.SUCCEEDED, `${jobId}: ${JSON.stringify(job.error)}`);
      assert.equal(resultOf(job), count);
      assert.deepEqual(
        printedIn(events),
        Array.from({ length: count }, (_, index) => `step ${index + 1}`),
        jobId,
      );
    }
  }

  async #callAndCheck(): Promise<void> {
    while (!this.#over.signal.aborted) {
      this.report.runs++;
      const params = { starts: this.#starts, id: "run", count: 3, pauseMs: 5 };
      try {
        const result = await this.#server.client.runPlugin(this.#plugin(), "steps", params, { mode: "task" });
        assert.equal(result, 3);
        this.life.emit("sign");
      } catch (error) {
        if (!isPassing(error)) throw error;
        this.report.failedRuns++;
      }
    }
  }

  #plugin(): string {
    return pick(this.random, languages) ?? languages[0];
  }

  readonly #tell = (message: WatchJobResponse): boolean => {
    if (hasProgress(message)) this.life.emit("sign");
    return false;
  };

  #checkStarts(): void {
    const ids = readFileSync(this.#starts, "utf8").split("\n");
    const counts = Map.groupBy(
      ids.filter((id) => id.startsWith("job-")),
      (id) => id,
    );
    const twice = [...counts].filter(([, starts]) => starts.length > 1).map(([id]) => id);
    assert.deepEqual(twice, [], "no job started twice");
  }
}

/** Asks again, as callers do, for as long as it says that nothing was begun. */
async function untilAnswered<T>(ask: () => Promise<T>): Promise<T> {
  while (true) {
    try {
      return await ask();
    } catch (error) {
      if (!isPassing(error)) throw error;
      await delay(50);
    }
  }
}

function isPassing(error: unknown): boolean {
  return error instanceof ExecutionError && passing.includes(error.reason);
}

function printedIn(events: readonly JobEvent[]): string[] {
  const lines = events.flatMap(({ payload }) => (payload.case === "log" ? [payload.value.message] : []));
  return lines.filter((line) => line.startsWith("step "));
}

function resultOf({ result }: Job): number | undefined {
  return result?.kind.case === "numberValue" ? result.kind.value : undefined;
}
