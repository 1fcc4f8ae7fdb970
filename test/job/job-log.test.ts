import assert from "node:assert/strict";
import { test } from "node:test";
import { create } from "@bufbuild/protobuf";
import { JobStateChangeSchema } from "../../gen/ts/pluginrunner/v1/job_event_pb.ts";
import { JobState } from "../../gen/ts/pluginrunner/v1/job_pb.ts";
import { PluginRunnerError } from "../../src/errors.ts";
import { errorEvent } from "../../src/job/follow-events.ts";
import type { EventDraft } from "../../src/job/job-log.ts";
import type { JobStore } from "../../src/job/store/job-store.ts";
import { eventsOf, lines, openLog, openStore, recordOf, wordsOf } from "./fixtures.ts";

test("appends of several callers are numbered in the order of the calls, without gaps", async (t) => {
  const { log, store } = await openLog(t);
  await Promise.all([log.append(lines("a", "b")), log.change(JobState.RUNNING, ""), log.append(lines("c"), 10)]);
  const events = await eventsOf(store);
  assert.deepEqual(wordsOf(events), ["a", "b", "RUNNING", "c"]);
  assert.deepEqual(
    events.map(({ sequence }) => sequence),
    [1n, 2n, 3n, 4n],
  );
  assert.equal((await store.get("job"))?.position, 10);
});

test("a change that says nothing new, or goes back at its turn, is no event", async (t) => {
  const { log, store } = await openLog(t);
  await log.change(JobState.PENDING, "");
  await log.change(JobState.RUNNING, "");
  await log.change(JobState.PENDING, "waits");
  const value = create(JobStateChangeSchema, { state: JobState.RUNNING });
  const started: EventDraft = { timeMs: 1000, payload: { case: "stateChanged", value } };
  await Promise.all([log.change(JobState.CANCELLING, ""), log.append([started, ...lines("a")], 7)]);
  assert.deepEqual(wordsOf(await eventsOf(store)), ["RUNNING", "CANCELLING", "a"]);
  assert.equal(log.record.position, 7);
});

test("what the store refuses has not happened: the next append has the next number", async (t) => {
  const store = openStore(t);
  const broken: JobStore = Object.create(store);
  let refusals = 0;
  broken.insert = (record) => store.insert(record);
  broken.append = (record, events) =>
    refusals-- > 0 ? Promise.reject(new Error("disk full")) : store.append(record, events);
  const { log } = await openLog(t, { store: broken });
  await log.append(lines("a"), 5);
  refusals = 1;
  await assert.rejects(log.append(lines("lost", "lost"), 9), /disk full/);
  assert.deepEqual([log.job.lastSequence, log.record.position], [1n, 5]);
  await log.append(lines("b"), 9);
  const events = await eventsOf(store);
  assert.deepEqual(
    events.map(({ sequence }) => sequence),
    [1n, 2n],
  );
});

test("a log that goes on from the store forgets no append that came meanwhile", async (t) => {
  const { log, store } = await openLog(t);
  await log.append(lines("a"), 5);
  await Promise.all([log.append(lines("b"), 9), log.reload(), log.append(lines("c"), 12)]);
  await log.append(lines("d"), 15);
  assert.deepEqual(wordsOf(await eventsOf(store)), ["a", "b", "c", "d"]);
  assert.equal((await store.get("job"))?.position, 15);
});

test("the oldest events go once there are too many, and the job says which is the oldest", async (t) => {
  const { log, store } = await openLog(t, { maxEvents: 100 });
  for (let index = 0; index < 25; index++) await log.append(lines(..."abcde"));
  const events = await eventsOf(store);
  assert.equal(events[0]?.sequence, log.job.oldestSequence);
  assert.equal(events.at(-1)?.sequence, 125n);
  assert.ok(events.length <= 100 && events.length >= 90, `${events.length} are kept`);
  assert.equal((await store.get("job"))?.job.oldestSequence, log.job.oldestSequence);
});

test("what only the action is given is forgotten with the end of the job: it may hold secrets", async (t) => {
  const record = { ...recordOf("job"), given: { params: { value: {}, nonFinite: [] }, env: { TOKEN: "s3cret" } } };
  const { log, store } = await openLog(t, { record });
  await log.append(lines("a"));
  assert.deepEqual((await store.get("job"))?.given.env, { TOKEN: "s3cret" });
  await log.append([errorEvent(log, new PluginRunnerError("CANCELLED", "over"))]);
  assert.deepEqual((await store.get("job"))?.given, { params: { value: {}, nonFinite: [] }, env: {} });
});
