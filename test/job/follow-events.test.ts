import assert from "node:assert/strict";
import { test } from "node:test";
import type { JsonValue } from "@bufbuild/protobuf";
import { durationFromMs } from "@bufbuild/protobuf/wkt";
import { JobState } from "../../gen/ts/pluginrunner/v1/job_pb.ts";
import { followEvents } from "../../src/job/follow-events.ts";
import type { EventRecord } from "../../src/worker/messages.ts";
import { eventsOf, lines, openLog, recordOf, wordsOf } from "./fixtures.ts";

const time = 1.5;
const started: EventRecord = { type: "started", time, pid: 1 };
const result: EventRecord = { type: "result", time, value: { answer: 42 } };
const exit: EventRecord = {
  type: "exit",
  time,
  code: 0,
  signal: null,
  timed_out: false,
  stopped_by: null,
  stderr_tail: "",
};
const limits = { maxResultBytes: 1000 };

test("events come in the order of the file, and the outcome after the last of the output", async (t) => {
  const { log, store } = await openLog(t);
  await followEvents(log, chunks(file(started, printed("a"), result, printed("late"), exit)), limits);
  const events = await eventsOf(store);
  assert.deepEqual(wordsOf(events), ["RUNNING", "a", "late", "result"]);
  assert.deepEqual(events.at(-1)?.eventTime, {
    $typeName: "google.protobuf.Timestamp",
    seconds: 1n,
    nanos: 500_000_000,
  });
  const job = (await store.get("job"))?.job;
  assert.equal(job?.state, JobState.SUCCEEDED);
  assert.deepEqual(job.result?.kind.case, "structValue");
});

test("wherever the bytes are cut, the log is the same", async (t) => {
  const bytes = file(started, printed("ä€😀"), result, exit);
  for (let at = 1; at < bytes.length; at += 7) {
    const { log, store } = await openLog(t);
    await followEvents(log, chunks(bytes.subarray(0, at), bytes.subarray(at)), limits);
    assert.deepEqual(wordsOf(await eventsOf(store)), ["RUNNING", "ä€😀", "result"]);
  }
});

test("a service that ends at any point goes on from its position: nothing is lost, nothing comes twice", async (t) => {
  const bytes = file(started, printed("a"), printed("b"), result, printed("late"), exit);
  const whole = ["RUNNING", "a", "b", "late", "result"];
  for (let at = 0; at < bytes.length; at += 5) {
    const { log, store } = await openLog(t);
    await assert.rejects(followEvents(log, breakingOff(bytes.subarray(0, at)), limits), /break/);
    const { position } = log.record;
    assert.equal(position, (await store.get("job"))?.position);
    await followEvents(log, chunks(bytes.subarray(position)), limits);
    assert.deepEqual(wordsOf(await eventsOf(store)), whole, `cut at ${at}`);
  }
});

test("a job is tidied before its end is kept: a service that ends in between leaves that to the next", async (t) => {
  const { log, store } = await openLog(t);
  const bytes = file(started, result, exit);
  const tidied: number[] = [];
  const broken = { ...limits, tidy: () => Promise.reject(new Error("killed")) };
  await assert.rejects(followEvents(log, chunks(bytes), broken), /killed/);
  assert.deepEqual(wordsOf(await eventsOf(store)), []);
  const tidy = async () => {
    tidied.push((await eventsOf(store)).length);
  };
  await followEvents(log, chunks(bytes.subarray(log.record.position)), { ...limits, tidy });
  assert.deepEqual(wordsOf(await eventsOf(store)), ["RUNNING", "result"]);
  assert.deepEqual(tidied, [0]);
});

test("the first outcome counts, and one that comes after it does not", async (t) => {
  const failed: EventRecord = { type: "error", time, error: { reason: "ACTION_FAILED", message: "no", stack: "at" } };
  const { log, store } = await openLog(t);
  await followEvents(log, chunks(file(started, failed, result, exit)), limits);
  assert.deepEqual(wordsOf(await eventsOf(store)), ["RUNNING", "ACTION_FAILED"]);
});

test("a process that ends without an outcome is lost, and says how it ended", async (t) => {
  const cases: [Partial<typeof exit>, Record<string, string>][] = [
    [
      { code: 3, stderr_tail: "last words\n" },
      { exit_code: "3", stderr_tail: "last words" },
    ],
    [
      { code: null, signal: "SIGSEGV" },
      { signal: "SIGSEGV", stderr_tail: "" },
    ],
  ];
  for (const [how, metadata] of cases) {
    const { log } = await openLog(t);
    await followEvents(log, chunks(file(started, { ...exit, ...how })), limits);
    assert.deepEqual([log.job.error?.reason, log.job.error?.metadata], ["WORKER_LOST", metadata]);
    assert.equal(log.job.state, JobState.FAILED);
  }
});

test("a file that just stops loses the process but not its last words", async (t) => {
  const { log, store } = await openLog(t);
  await followEvents(log, chunks(file(started, printed("a"))), limits);
  assert.deepEqual(wordsOf(await eventsOf(store)), ["RUNNING", "a", "WORKER_LOST"]);
  const { log: ended, store: other } = await openLog(t);
  await followEvents(ended, chunks(file(started, result, printed("late"))), limits);
  assert.deepEqual(wordsOf(await eventsOf(other)), ["RUNNING", "late", "result"]);
});

test("a time limit comes before the outcome, and a cancel before the time limit", async (t) => {
  const record = recordOf("job", { timeout: durationFromMs(1500) });
  const { log } = await openLog(t, { record });
  await followEvents(log, chunks(file(started, result, { ...exit, timed_out: true })), limits);
  assert.deepEqual([log.job.error?.reason, log.job.error?.metadata.timeout_seconds], ["DEADLINE", "1.5"]);
  const { log: other } = await openLog(t);
  await other.change(JobState.CANCELLING, "");
  await followEvents(other, chunks(file(started, result, { ...exit, timed_out: true })), limits);
  assert.deepEqual([other.job.state, other.job.error?.reason], [JobState.CANCELLED, "CANCELLED"]);
});

test("what an action returned that somebody else told to stop is no success, and is kept", async (t) => {
  const failed: EventRecord = {
    type: "error",
    time,
    error: { reason: "ACTION_FAILED", message: "broken pipe", exception_type: "OSError" },
  };
  const stopped = { ...exit, stopped_by: "SIGTERM" };
  const { log } = await openLog(t);
  await followEvents(log, chunks(file(started, result, stopped)), limits);
  const { error, state } = log.job;
  assert.deepEqual([state, error?.reason, error?.metadata.signal], [JobState.FAILED, "WORKER_LOST", "SIGTERM"]);
  assert.equal(error?.partialResult?.kind.case, "structValue");
  const { log: other } = await openLog(t);
  await followEvents(other, chunks(file(started, failed, stopped)), limits);
  assert.deepEqual([other.job.error?.reason, other.job.error?.exceptionType], ["WORKER_LOST", "OSError"]);
  assert.equal(other.job.error?.metadata.action_reason, "ACTION_FAILED");
  const { log: silent } = await openLog(t);
  await followEvents(silent, chunks(file(started, { ...stopped, code: null, signal: "SIGKILL" })), limits);
  assert.match(silent.job.error?.message ?? "", /told the job to stop/);
});

test("what the service asked for is a cancel, also where that could not be recorded", async (t) => {
  const { log } = await openLog(t);
  await followEvents(log, chunks(file(started, result, { ...exit, stopped_by: "SERVICE" })), limits);
  assert.deepEqual([log.job.state, log.job.error?.reason], [JobState.CANCELLED, "CANCELLED"]);
});

test("a job that is being cancelled does not go back to RUNNING", async (t) => {
  const { log, store } = await openLog(t);
  await log.change(JobState.CANCELLING, "");
  await followEvents(log, chunks(file(started, exit)), limits);
  assert.deepEqual(wordsOf(await eventsOf(store)), ["CANCELLING", "CANCELLED"]);
});

test("a result that clients could not take fails the job and says why", async (t) => {
  for (const value of ["x".repeat(2000), nested(60), nested(1000)]) {
    const { log } = await openLog(t);
    await followEvents(log, chunks(file(started, { ...result, value }, exit)), limits);
    assert.deepEqual(
      [log.job.state, log.job.error?.reason, log.job.result],
      [JobState.FAILED, "RESULT_INVALID", undefined],
    );
  }
});

test("values that nest too deep to be read again are left out of events, and that is seen", async (t) => {
  const { log, store } = await openLog(t);
  const values = { fine: nested(40) };
  const metrics: EventRecord[] = [60, 1000].map((depth) => {
    return { type: "metrics", time, step: String(depth), values: { deep: nested(depth) } };
  });
  const logged = { ...printed("a"), fields: { deep: nested(60) } };
  const fine: EventRecord = { type: "metrics", time, step: "", values };
  await followEvents(log, chunks(file(...metrics, logged, fine, result, exit)), limits);
  const job = (await store.get("job"))?.job;
  assert.match(
    JSON.stringify(job?.metrics[0]?.values),
    /^\{"deep":\[{46}"\[nested deeper than clients can read\]"\]{46}\}$/,
  );
  assert.deepEqual(job?.metrics[2]?.values, values);
  assert.deepEqual(wordsOf(await eventsOf(store)), ["metrics", "metrics", "a", "metrics", "result"]);
});

test("lines that are no events are left out and said so, and the job still ends", async (t) => {
  const broken = [
    "", // means nothing
    "no JSON",
    "[]",
    "null",
    '{"type":"unheard of","time":1}',
    '{"type":"log","time":1e300,"message":"odd"}',
  ];
  const { log, store } = await openLog(t);
  await followEvents(log, chunks(Buffer.from(`${broken.join("\n")}\n`), file(result, exit)), limits);
  const words = wordsOf(await eventsOf(store));
  assert.equal(words.filter((word) => String(word).includes("could not be read")).length, 4);
  assert.deepEqual(words.slice(-2), ["odd", "result"]);
});

test("an event too large for clients is left out and said so; a large error is cut", async (t) => {
  const large = "x".repeat(600 * 1024);
  const failed: EventRecord = { type: "error", time, error: { reason: "ACTION_FAILED", message: large, stack: large } };
  const { log, store } = await openLog(t);
  await followEvents(log, chunks(file(started, printed(large), failed, exit)), limits);
  const words = wordsOf(await eventsOf(store));
  assert.match(String(words[1]), /could not be read/);
  assert.equal(words[2], "ACTION_FAILED");
  assert.match(log.job.error?.message ?? "", /^x+… \[\+598016 characters\] …x+$/);
});

test("after the terminal event nothing is appended", async (t) => {
  const { log, store } = await openLog(t);
  await followEvents(log, chunks(file(result, exit)), limits);
  await log.append(lines("late"));
  await log.change(JobState.CANCELLING, "");
  assert.deepEqual(wordsOf(await eventsOf(store)), ["result"]);
});

function nested(depth: number): JsonValue[] {
  let value: JsonValue[] = [];
  for (let level = 1; level < depth; level++) value = [value];
  return value;
}

function printed(message: string): EventRecord {
  return { type: "log", time, source: "STDOUT", level: "", message, fields: {} };
}

function file(...records: EventRecord[]): Buffer {
  return Buffer.from(records.map((record) => `${JSON.stringify(record)}\n`).join(""));
}

async function* chunks(...parts: Uint8Array[]) {
  yield* parts;
}

/** Yields byte by byte, so that each event is kept at once, and then breaks off as a killed service does. */
async function* breakingOff(bytes: Uint8Array) {
  for (let at = 0; at < bytes.length; at++) yield bytes.subarray(at, at + 1);
  throw new Error("break");
}
