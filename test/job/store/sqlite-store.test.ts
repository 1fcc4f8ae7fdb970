import assert from "node:assert/strict";
import { DatabaseSync } from "node:sqlite";
import { test } from "node:test";
import { create, type MessageInitShape } from "@bufbuild/protobuf";
import { timestampFromMs } from "@bufbuild/protobuf/wkt";
import { JobFilterSchema, JobState } from "../../../gen/ts/pluginrunner/v1/job_pb.ts";
import { PluginRunnerError } from "../../../src/errors.ts";
import { errorEvent } from "../../../src/job/follow-events.ts";
import { openSqliteStore } from "../../../src/job/store/sqlite-store.ts";
import { eventsOf, lines, openLog, openStore, recordOf, storeFile, wordsOf } from "../fixtures.ts";

test("a record comes back as it was kept, also from a file that is opened again", async (t) => {
  const file = storeFile(t);
  const first = openSqliteStore(file);
  const record = recordOf("job", { params: { a: [1, { b: null }] }, labels: { team: "red" } });
  record.given = { params: { value: { a: "NaN", b: -0 }, nonFinite: ["/a"] }, env: { TOKEN: "s3cret" } };
  assert.ok(await first.insert(record));
  assert.equal(await first.insert(recordOf("job")), undefined);
  await first.append({ ...record, position: 7 }, [{ sequence: 1n, bytes: new Uint8Array([1]) }]);
  await first.close();
  const second = openSqliteStore(file);
  t.after(() => second.close());
  assert.deepEqual(await second.get("job"), { ...record, position: 7 });
  assert.deepEqual(await second.get("other"), undefined);
  assert.equal((await second.events("job", 0n, 10, 100)).length, 1);
});

test("what a job is given, and its params as people see them, are kept as they are settled", async (t) => {
  const store = openStore(t);
  const record = recordOf("job", { params: { a: 1 } });
  record.given = { ...record.given, files: "kept", environment: "digest", unchecked: { bySchema: true } };
  await store.insert(record);
  assert.deepEqual(await store.get("job"), record);
  const { unchecked: _, ...given } = record.given;
  const settled = { ...record, job: { ...record.job, params: { a: 1, b: 2 }, entrypoint: "m:a" }, given };
  await store.settle(settled);
  assert.deepEqual(await store.get("job"), settled);
});

test("an append is kept whole or not at all", async (t) => {
  const { log, store, record } = await openLog(t);
  await log.append(lines("a"), 5);
  const twice = [2n, 2n].map((sequence) => ({ sequence, bytes: new Uint8Array() }));
  await assert.rejects(store.append({ ...record, position: 9 }, twice), /UNIQUE/);
  assert.deepEqual(wordsOf(await eventsOf(store)), ["a"]);
  assert.equal((await store.get("job"))?.position, 5);
  await log.append(lines("b"));
});

test("events are read after a position, by number and by bytes, but always at least one", async (t) => {
  const { log, store } = await openLog(t);
  await log.append(lines("a", "b", "c".repeat(1000), "d"));
  const sequences = async (after: bigint, limit: number, bytes: number) =>
    (await store.events("job", after, limit, bytes)).map(({ sequence }) => Number(sequence));
  assert.deepEqual(await sequences(0n, 10, 10_000), [1, 2, 3, 4]);
  assert.deepEqual(await sequences(1n, 2, 10_000), [2, 3]);
  assert.deepEqual(await sequences(0n, 10, 100), [1, 2]);
  assert.deepEqual(await sequences(2n, 10, 1), [3]);
  assert.deepEqual(await sequences(4n, 10, 100), []);
});

test("lists are newest first, page by page, without what may be large", async (t) => {
  const store = openStore(t);
  for (let index = 0; index < 5; index++) await store.insert(recordOf(`job-${index}`, { params: { large: "x" } }));
  const first = await store.list(undefined, 2, undefined);
  const second = await store.list(undefined, 2, first.cursor);
  const third = await store.list(undefined, 2, second.cursor);
  assert.deepEqual(
    [first, second, third].map(({ jobs }) => jobs.map(({ jobId }) => jobId)),
    [["job-4", "job-3"], ["job-2", "job-1"], ["job-0"]],
  );
  assert.equal(third.cursor, undefined);
  assert.equal(first.jobs[0]?.params, undefined);
});

test("a page of large jobs has fewer, so that it fits into a message", async (t) => {
  const store = openStore(t);
  const labels = Object.fromEntries(Array.from({ length: 60 }, (_, at) => [`label-${at}`, "x".repeat(5000)]));
  for (let index = 0; index < 5; index++) await store.insert(recordOf(`job-${index}`, { labels }));
  const found: string[] = [];
  let cursor: number | undefined;
  do {
    const page = await store.list(undefined, 100, cursor);
    assert.ok(page.jobs.length > 0 && page.jobs.length < 5);
    found.push(...page.jobs.map(({ jobId }) => jobId));
    cursor = page.cursor;
  } while (cursor !== undefined);
  assert.deepEqual(found, ["job-4", "job-3", "job-2", "job-1", "job-0"]);
});

test("a filter wants every one of its fields", async (t) => {
  const store = openStore(t);
  await store.insert(recordOf("a", { plugin: "p", action: "x", labels: { team: "red", tier: "1" } }));
  await store.insert(recordOf("b", { plugin: "p", action: "y", labels: { team: "blue" }, state: JobState.RUNNING }));
  await store.insert(recordOf("c", { plugin: "q", createTime: timestampFromMs(5000) }));
  const found = async (filter: MessageInitShape<typeof JobFilterSchema>) =>
    (await store.list(create(JobFilterSchema, filter), 10, undefined)).jobs.map(({ jobId }) => jobId).join("");
  assert.equal(await found({ plugin: "p" }), "ba");
  assert.equal(await found({ plugin: "p", action: "x" }), "a");
  assert.equal(await found({ labels: { team: "red" } }), "a");
  assert.equal(await found({ labels: { team: "red", tier: "2" } }), "");
  assert.equal(await found({ states: [JobState.RUNNING, JobState.FAILED] }), "b");
  assert.equal(await found({ createdAfter: timestampFromMs(5000) }), "c");
  assert.equal(await found({ createdBefore: timestampFromMs(5000) }), "ba");
  assert.equal(await found({ labels: { "a' OR 1=1 --": "x" } }), "");
});

test("what has not ended is found oldest first, and what has by the time of its end", async (t) => {
  const store = openStore(t);
  const { log } = await openLog(t, { store, record: recordOf("ended") });
  await openLog(t, { store, record: recordOf("first") });
  await openLog(t, { store, record: recordOf("second", { state: JobState.CANCELLING }) });
  await log.append([errorEvent(log, new PluginRunnerError("DEADLINE", "over"))]);
  assert.deepEqual(
    (await store.unfinished()).map(({ record }) => record.job.jobId),
    ["first", "second"],
  );
  assert.deepEqual(await store.endedBefore(Date.now() + 1000, 10), ["ended"]);
  assert.deepEqual(await store.endedBefore(1000, 10), []);
});

test("a deleted job leaves no events behind, and its id is free", async (t) => {
  const { log, store } = await openLog(t);
  await log.append(lines("a"));
  await store.delete("job");
  assert.deepEqual([await store.get("job"), await eventsOf(store)], [undefined, []]);
  assert.ok(await store.insert(recordOf("job")));
});

test("a file of a later version is refused, and left as it is", (t) => {
  const file = storeFile(t);
  withDatabase(file, (database) => database.exec("PRAGMA user_version = 99"));
  assert.throws(() => openSqliteStore(file), /later version of this program \(99\)/);
  withDatabase(file, (database) => assert.equal(database.prepare("PRAGMA user_version").get()?.user_version, 99));
});

function withDatabase(file: string, work: (database: DatabaseSync) => void): void {
  const database = new DatabaseSync(file);
  work(database);
  database.close();
}
