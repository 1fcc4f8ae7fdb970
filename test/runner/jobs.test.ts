import assert from "node:assert/strict";
import { type TestContext, test } from "node:test";
import { create } from "@bufbuild/protobuf";
import { JobState } from "../../gen/ts/pluginrunner/v1/job_pb.ts";
import { PluginSchema } from "../../gen/ts/pluginrunner/v1/plugin_pb.ts";
import type { JobEngine, JobStart } from "../../src/engine/engine.ts";
import { PluginRunnerError } from "../../src/errors.ts";
import type { JobStore } from "../../src/job/store/job-store.ts";
import { WatchHub } from "../../src/job/watch-hub.ts";
import { Jobs, type JobsOptions } from "../../src/runner/jobs.ts";
import { silentLog } from "../../src/util/log.ts";
import { eventsOf, openStore, recordOf, wordsOf } from "../job/fixtures.ts";

const startedLine = '{"type":"started","time":1,"pid":1}\n';
const endLines = '{"type":"result","time":2,"value":1}\n{"type":"exit","time":2,"code":0,"signal":null}\n';

test("a job is recorded, started, followed, and known to its end", async (t) => {
  const { jobs, engine, ended } = await openJobs(t);
  assert.equal(await jobs.submit(recordOf("job"), startOf("job")), true);
  assert.equal(await jobs.submit(recordOf("job"), startOf("job")), false);
  engine.write("job", startedLine + endLines);
  await ended("job");
  assert.equal((await jobs.get("job")).job.state, JobState.SUCCEEDED);
  assert.deepEqual(engine.started, ["job"]);
});

test("jobs that an earlier service left go on where they were, and their code is found again", async (t) => {
  const store = openStore(t);
  await store.insert(recordOf("waits"));
  await store.insert({ ...recordOf("runs", { state: JobState.RUNNING }), position: startedLine.length });
  const { engine, ended, restored } = await openJobs(t, { store });
  engine.write("runs", startedLine + endLines);
  engine.write("waits", startedLine + endLines);
  await Promise.all([ended("waits"), ended("runs")]);
  assert.deepEqual([engine.started, restored], [["waits"], ["waits"]]);
  assert.deepEqual(engine.followedFrom, { waits: 0, runs: startedLine.length });
});

test("a job whose code is gone fails with that reason, unless its process was started before", async (t) => {
  const store = openStore(t);
  await store.insert(recordOf("waits"));
  await store.insert(recordOf("started"));
  const gone = new PluginRunnerError("PLUGIN_NOT_FOUND", "It is gone.");
  const { jobs, engine, ended } = await openJobs(t, {
    store,
    claimed: ["started"],
    restore: () => Promise.reject(gone),
  });
  engine.write("started", startedLine + endLines);
  await Promise.all([ended("waits"), ended("started")]);
  assert.equal((await jobs.get("waits")).job.error?.reason, "PLUGIN_NOT_FOUND");
  assert.equal((await jobs.get("started")).job.state, JobState.SUCCEEDED);
});

test("a job that is cancelled while it waits never starts", async (t) => {
  const { jobs, engine, ended } = await openJobs(t, { holdStarts: true });
  await jobs.submit(recordOf("job"), startOf("job"));
  assert.equal(jobs.queued.count, 1);
  await jobs.cancel("job");
  await ended("job");
  assert.deepEqual([(await jobs.get("job")).job.state, engine.started, jobs.queued.count], [JobState.CANCELLED, [], 0]);
  assert.equal((await jobs.cancel("job")).state, JobState.CANCELLED);
});

test("jobs beyond those that may wait are refused", async (t) => {
  const { jobs } = await openJobs(t, { holdStarts: true, maxQueued: 1 });
  await jobs.submit(recordOf("first"), startOf("first"));
  await assert.rejects(jobs.submit(recordOf("second"), startOf("second")), isReason("OVERLOADED"));
  await assert.rejects(jobs.get("second"), isReason("JOB_NOT_FOUND"));
});

test("so are jobs beyond the bytes that may wait, and what waits is on disk alone", async (t) => {
  const { jobs } = await openJobs(t, { holdStarts: true, maxQueuedBytes: 100 });
  const first = recordOf("first", { params: { text: "shown" } });
  const given = { params: { value: { text: "x".repeat(100) }, nonFinite: [] }, env: { A: "b" } };
  await jobs.submit({ ...first, given }, startOf("first"));
  await assert.rejects(jobs.submit(recordOf("second"), startOf("second")), isReason("OVERLOADED"));
  assert.deepEqual(await jobs.given("first"), given);
  assert.deepEqual((await jobs.get("first")).job.params, { text: "shown" });
  await jobs.cancel("first");
  await jobs.submit(recordOf("second"), startOf("second"));
});

test("a store that fails for a while costs a job nothing", async (t) => {
  const store = openStore(t);
  let faults = 2;
  const flaky: JobStore = {
    ...bound(store),
    append: (record, events) => (faults-- > 0 ? Promise.reject(new Error("disk full")) : store.append(record, events)),
  };
  const { jobs, engine, ended } = await openJobs(t, { store: flaky });
  await jobs.submit(recordOf("job"), startOf("job"));
  engine.write("job", startedLine + endLines);
  await ended("job");
  const { job } = await jobs.get("job");
  assert.deepEqual([job.state, job.lastSequence], [JobState.SUCCEEDED, 2n]);
  assert.equal((await store.events("job", 0n, 10, 1e6)).length, 2);
});

test("a job is told to stop although that cannot be kept, and is known as cancelled once it can", async (t) => {
  const store = openStore(t);
  let full = false;
  const flaky: JobStore = {
    ...bound(store),
    append: (record, events) => (full ? Promise.reject(diskFull()) : store.append(record, events)),
  };
  const { jobs, engine, ended } = await openJobs(t, { store: flaky });
  await jobs.submit(recordOf("job"), startOf("job"));
  full = true;
  assert.equal((await jobs.cancel("job")).state, JobState.CANCELLING);
  assert.ok(engine.stopped.includes("job"));
  full = false;
  engine.write("job", startedLine + endLines);
  await ended("job");
  assert.deepEqual(wordsOf(await eventsOf(store)), ["CANCELLING", "CANCELLED"]);
});

test("a full disk refuses a submission, of which nothing stays, and says what keeps a job from being deleted", async (t) => {
  const store = openStore(t);
  const full: JobStore = {
    ...bound(store),
    insert: () => Promise.reject(diskFull()),
    delete: () => Promise.reject(diskFull()),
  };
  await store.insert(recordOf("old", { state: JobState.SUCCEEDED }));
  const { jobs, engine } = await openJobs(t, { store: full });
  await assert.rejects(jobs.submit(recordOf("job"), startOf("job")), isReason("STORAGE_UNAVAILABLE"));
  await assert.rejects(jobs.get("job"), isReason("JOB_NOT_FOUND"));
  assert.deepEqual(engine.started, []);
  await assert.rejects(jobs.delete("old"), (error) => {
    assert.ok(error instanceof PluginRunnerError);
    assert.deepEqual([error.reason, error.metadata], ["STORAGE_UNAVAILABLE", { job_id: "old", code: "ENOSPC" }]);
    return true;
  });
});

test("a job that has not ended is not deleted; one that has goes from the engine and the store", async (t) => {
  const { jobs, engine, ended } = await openJobs(t);
  await jobs.submit(recordOf("job"), startOf("job"));
  await assert.rejects(jobs.delete("job"), isReason("JOB_NOT_FINISHED"));
  engine.write("job", startedLine + endLines);
  await ended("job");
  await jobs.delete("job");
  assert.deepEqual(engine.removed, ["job"]);
  await assert.rejects(jobs.delete("job"), isReason("JOB_NOT_FOUND"));
});

test("all jobs past their retention are removed at the start, however many", async (t) => {
  const store = openStore(t);
  const before = { state: JobState.SUCCEEDED, endTime: { seconds: 1n, nanos: 0 } };
  for (let index = 0; index < 250; index++) await store.insert(recordOf(`old-${index}`, before));
  const { gone, engine } = await openJobs(t, { store, retentionMs: 1000 });
  await gone("old-249");
  assert.equal(engine.removed.length, 250);
  assert.equal((await store.list(undefined, 10, undefined)).jobs.length, 0);
});

test("an old job that cannot be removed keeps no younger one", async (t) => {
  const store = openStore(t);
  for (const [seconds, id] of ["old", "stuck", "younger"].entries()) {
    await store.insert(recordOf(id, { state: JobState.SUCCEEDED, endTime: { seconds: BigInt(seconds), nanos: 0 } }));
  }
  const { gone } = await openJobs(t, { store, retentionMs: 1000, stuck: "stuck" });
  await gone("younger");
  const left = (await store.list(undefined, 10, undefined)).jobs.map(({ jobId }) => jobId);
  assert.deepEqual(left, ["stuck"]);
});

test("it is known what environments jobs need, unless the record of one cannot be read", async (t) => {
  const store = openStore(t);
  await store.insert(needing("one", "e1"));
  const { jobs } = await openJobs(t, { store, holdStarts: true });
  await jobs.submit(needing("two", "e2"), startOf("two"));
  assert.deepEqual(jobs.environments, new Set(["e1", "e2"]));

  await jobs.close();

  const unfinished = await store.unfinished();
  store.unfinished = async () => unfinished.map((one) => ({ ...one, lost: "its checksum is wrong", known: false }));
  const { jobs: later } = await openJobs(t, { store });
  assert.equal(later.environments, undefined);
});

function needing(jobId: string, environment: string) {
  const record = recordOf(jobId);
  return { ...record, given: { ...record.given, environment } };
}

test("close() leaves jobs as they are", async (t) => {
  const { jobs, store } = await openJobs(t);
  await jobs.submit(recordOf("job"), startOf("job"));
  await jobs.close();
  const record = await store.get("job");
  assert.ok(record && record.job.endTime === undefined);
});

type Fake = Partial<Pick<JobsOptions, "store" | "restore" | "maxQueued" | "maxQueuedBytes" | "retentionMs">> & {
  /** Jobs that a process has claimed already. */
  claimed?: string[];
  holdStarts?: boolean;
  /** A job whose files cannot be removed. */
  stuck?: string;
};

async function openJobs(t: TestContext, fake: Fake = {}) {
  const { claimed = [], holdStarts = false, stuck, store = openStore(t) } = fake;
  const engine = new FakeEngine(claimed, holdStarts, stuck);
  const hub = new WatchHub();
  const restored: string[] = [];
  const restore = async ({ job }: { job: { jobId: string } }) => {
    restored.push(job.jobId);
    return startOf(job.jobId);
  };
  const jobs = new Jobs({
    store,
    hub,
    engine,
    restore,
    maxQueued: 10,
    maxQueuedBytes: 1000,
    maxEvents: 1000,
    maxResultBytes: 1000,
    retentionMs: 1e12,
    log: silentLog,
    ...fake,
  });
  t.after(() => jobs.close());
  const changed = (holds: (jobId: string, over: boolean | undefined) => boolean) =>
    new Promise<void>((resolve) => {
      const stop = hub.listen((jobId, job) => {
        if (!holds(jobId, job && job.endTime !== undefined)) return;
        stop();
        resolve();
      });
    });
  const ended = async (id: string) => {
    const end = changed((jobId, over) => jobId === id && over === true);
    if ((await jobs.get(id)).job.endTime === undefined) await end;
  };
  const gone = changed((_jobId, over) => over === undefined);
  await jobs.open();
  return {
    jobs,
    engine,
    store,
    ended,
    restored,
    gone: async (id: string) => {
      await gone;
      while (await jobs.find(id)) await changed((_jobId, over) => over === undefined);
    },
  };
}

/** Carries jobs in no process: what a test writes is what is followed. */
class FakeEngine implements JobEngine {
  readonly name = "embedded";
  readonly started: string[] = [];
  readonly removed: string[] = [];
  readonly stopped: string[] = [];
  readonly followedFrom: Record<string, number> = {};
  readonly #claimed: Set<string>;
  readonly #holdStarts: boolean;
  readonly #stuck: string | undefined;
  readonly #files = new Map<string, PromiseWithResolvers<Buffer>>();

  constructor(claimed: readonly string[], holdStarts: boolean, stuck: string | undefined) {
    this.#claimed = new Set(claimed);
    this.#holdStarts = holdStarts;
    this.#stuck = stuck;
  }

  write(jobId: string, text: string): void {
    this.#file(jobId).resolve(Buffer.from(text));
  }

  idOf(jobId: string): string {
    return jobId;
  }

  check(): void {}

  async start(jobId: string, load: () => Promise<JobStart>, _report: unknown, signal: AbortSignal): Promise<void> {
    if (this.#claimed.has(jobId)) return;
    await load();
    if (this.#holdStarts) await aborted(signal);
    this.#claimed.add(jobId);
    this.started.push(jobId);
  }

  async giveUp(jobId: string): Promise<boolean> {
    return !this.#claimed.has(jobId);
  }

  async *follow(jobId: string, offset: number, signal: AbortSignal) {
    this.followedFrom[jobId] ??= offset;
    yield (await Promise.race([this.#file(jobId).promise, aborted(signal)])).subarray(offset);
  }

  async stop(jobId: string): Promise<void> {
    this.stopped.push(jobId);
  }

  async remove(jobId: string): Promise<void> {
    if (jobId === this.#stuck) throw new Error("EACCES: permission denied");
    this.removed.push(jobId);
  }

  async close(): Promise<void> {}

  #file(jobId: string): PromiseWithResolvers<Buffer> {
    const known = this.#files.get(jobId) ?? Promise.withResolvers<Buffer>();
    this.#files.set(jobId, known);
    return known;
  }
}

function startOf(jobId: string): JobStart {
  const binding = {
    language: "javascript",
    code: "p",
    root: "/",
    module: "",
    digest: "",
    env: {},
    packages: "",
  } as const;
  const plugin = { info: create(PluginSchema), binding, requirements: undefined };
  const rest = { validator: undefined, timeoutMs: undefined, resources: undefined };
  const action = { plugin, name: "a", entrypoint: "", ...rest };
  return {
    jobId,
    action,
    given: async () => ({ params: { value: {}, nonFinite: [] }, env: {} }),
    timeoutMs: undefined,
    resources: undefined,
  };
}

function aborted(signal: AbortSignal): Promise<never> {
  return new Promise((_resolve, reject) => {
    if (signal.aborted) reject(signal.reason);
    signal.addEventListener("abort", () => reject(signal.reason));
  });
}

/** The methods of a store, so that an object of its own can replace one of them. */
function bound(store: JobStore): JobStore {
  return {
    insert: (record) => store.insert(record),
    get: (jobId) => store.get(jobId),
    append: (record, events) => store.append(record, events),
    settle: (record) => store.settle(record),
    remains: (jobId) => store.remains(jobId),
    events: (...args) => store.events(...args),
    missing: (...args) => store.missing(...args),
    fail: (jobId) => store.fail(jobId),
    examine: () => store.examine(),
    trim: (...args) => store.trim(...args),
    list: (...args) => store.list(...args),
    unfinished: () => store.unfinished(),
    ids: () => store.ids(),
    endedBefore: (...args) => store.endedBefore(...args),
    delete: (jobId) => store.delete(jobId),
    close: () => store.close(),
  };
}

/** As SQLite says it. */
function diskFull(): Error {
  return Object.assign(new Error("database or disk is full"), { errcode: 13 });
}

function isReason(reason: string) {
  return (error: unknown) => error instanceof PluginRunnerError && error.reason === reason;
}
