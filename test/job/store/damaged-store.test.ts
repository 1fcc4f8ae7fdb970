import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { type TestContext, test } from "node:test";
import { create } from "@bufbuild/protobuf";
import { JobFilterSchema, JobState } from "../../../gen/ts/pluginrunner/v1/job_pb.ts";
import { PluginRunnerError } from "../../../src/errors.ts";
import { errorEvent } from "../../../src/job/follow-events.ts";
import { JobLog } from "../../../src/job/job-log.ts";
import type { JobStore } from "../../../src/job/store/job-store.ts";
import { salvage } from "../../../src/job/store/salvage.ts";
import { openSqliteStore } from "../../../src/job/store/sqlite-store.ts";
import { WatchHub } from "../../../src/job/watch-hub.ts";
import { eventsOf, lines, openLog, recordOf, storeFile, wordsOf } from "../fixtures.ts";

/** `late` is what only the start of a job, or whoever asks for it, meets: it is not read before. */
const damages: readonly (readonly [name: string, sql: string, late?: "late"])[] = [
  ["a summary that is no message", "UPDATE jobs SET summary = x'ffffffff' WHERE job_id = 'bad'"],
  [
    "a summary with a flipped byte",
    "UPDATE jobs SET summary = CAST(x'0b' || substr(summary, 2) AS BLOB) WHERE job_id = 'bad'",
  ],
  ["a summary of another job", "UPDATE jobs SET summary = (SELECT summary FROM jobs LIMIT 1) WHERE job_id = 'bad'"],
  ["a summary that was cut", "UPDATE jobs SET summary = substr(summary, 1, 9) WHERE job_id = 'bad'"],
  ["params that are no message", "UPDATE jobs SET params = x'ff' WHERE job_id = 'bad'", "late"],
  ["a given that is no JSON", "UPDATE jobs SET given = '{\"params\":' WHERE job_id = 'bad'", "late"],
  [
    "a given with a changed letter",
    "UPDATE jobs SET given = replace(given, 'red', 'rad') WHERE job_id = 'bad'",
    "late",
  ],
  ["a given that is null", "UPDATE jobs SET given = 'null' WHERE job_id = 'bad'", "late"],
  ["another fingerprint", "UPDATE jobs SET fingerprint = 'other' WHERE job_id = 'bad'", "late"],
  ["a state that there is not", "UPDATE jobs SET state = 77 WHERE job_id = 'bad'"],
  ["an end beyond all times", "UPDATE jobs SET end_time = 9223372036854775807 WHERE job_id = 'bad'"],
  ["what is kept with a changed letter", "UPDATE jobs SET kept = replace(kept, '{', '[') WHERE job_id = 'bad'"],
  ["columns that are null", loosened("summary = NULL, params = NULL, given = NULL, fingerprint = NULL")],
  ["columns of other types", loosened("summary = 'text', params = 5, given = x'00', state = 'x', position = 'y'")],
];

for (const [name, sql, late] of damages) {
  test(`${name}: its job is shown as lost, and can be deleted; the others are unharmed`, async (t) => {
    const store = await damaged(t, sql);
    const { jobs } = await store.list(undefined, 10, undefined);
    assert.deepEqual(
      jobs.map(({ jobId }) => jobId),
      ["last", "bad", "first"],
    );
    await assert.rejects(store.get("bad"), (error) => {
      assert.ok(error instanceof PluginRunnerError && error.reason === "DATA_LOSS");
      assert.equal(error.metadata.job_id, "bad");
      assert.match(error.message, /doctor --data-dir DIR --repair/);
      return true;
    });
    for (const id of ["first", "last"]) assert.equal((await store.get(id))?.job.jobId, id);
    const unfinished = await store.unfinished();
    assert.deepEqual(
      unfinished.filter(({ lost }) => lost === "").map(({ record }) => record.job.jobId),
      late ? ["first", "bad", "last"] : ["first", "last"],
    );
    assert.deepEqual(faultyJobs(store), ["bad"]);
    await store.delete("bad");
    assert.equal(await store.get("bad"), undefined);
    assert.equal((await store.list(undefined, 10, undefined)).jobs.length, 2);
  });
}

test("labels that are no JSON keep no other job from being found by its labels", async (t) => {
  const store = await damaged(t, "UPDATE jobs SET labels = '{' WHERE job_id = 'bad'");
  const filter = create(JobFilterSchema, { labels: { team: "red" } });
  const { jobs } = await store.list(filter, 10, undefined);
  assert.deepEqual(
    jobs.map(({ jobId }) => jobId),
    ["last", "bad", "first"],
  );
});

test("a list shows what is left of a job whose summary is lost, page by page", async (t) => {
  const store = await damaged(t, "UPDATE jobs SET summary = x'ff', labels = '{' WHERE job_id = 'bad'");
  const page = await store.list(undefined, 2, undefined);
  const lost = page.jobs.at(-1);
  assert.deepEqual([lost?.jobId, lost?.plugin, lost?.action, lost?.error?.reason], ["bad", "p", "a", "DATA_LOSS"]);
  assert.deepEqual(
    (await store.list(undefined, 2, page.cursor)).jobs.map(({ jobId }) => jobId),
    ["first"],
  );
});

test("events end before one that cannot be read, and those that are missing are named", async (t) => {
  const file = storeFile(t);
  const store = openSqliteStore(file);
  const { log } = await openLog(t, { store });
  await log.append(lines("1", "2", "3", "4", "5", "6", "7", "8", "9"));
  await store.close();
  change(file, "UPDATE events SET bytes = CAST(x'00' || bytes AS BLOB) WHERE sequence = 3");
  change(file, "DELETE FROM events WHERE sequence IN (5, 6, 9)");
  const again = reopened(t, file);
  assert.deepEqual(wordsOf(await eventsOf(again)), ["1", "2"]);
  assert.deepEqual(await again.missing("job", 1n, 9n), { ranges: "3,5-6,9", next: 4n });
  assert.deepEqual(await again.missing("job", 7n, 8n), { ranges: "", next: undefined });
  assert.deepEqual(await again.missing("job", 9n, 9n), { ranges: "9", next: undefined });
});

for (const [name, damage] of [
  ...Array.from({ length: 64 }, (_, bit) => {
    const what = `bit ${bit % 8} of the byte ${8 - Math.floor(bit / 8)} from the end flipped`;
    return [what, (bytes: Buffer) => flipped(bytes, bytes.length - 8 + Math.floor(bit / 8), bit % 8)] as const;
  }),
  ...[1, 2, 3, 4, 5, 6, 7, 9, 10, 11].map(
    (count) => [`its last ${count} bytes lost`, (bytes: Buffer) => bytes.subarray(0, -count)] as const,
  ),
  ["all of it lost", () => Buffer.alloc(0)] as const,
]) {
  test(`an event with ${name} is missing, and those before it are told`, async (t) => {
    const { file, database } = await threeEvents(t);
    const { bytes } = database.prepare("SELECT bytes FROM events WHERE sequence = 3").get() ?? {};
    assert.ok(bytes instanceof Uint8Array);
    database.prepare("UPDATE events SET bytes = ? WHERE sequence = 3").run(damage(Buffer.from(bytes)));
    database.close();
    const store = reopened(t, file);
    assert.deepEqual(wordsOf(await eventsOf(store)), ["1", "2"]);
    assert.deepEqual(await store.missing("job", 1n, 3n), { ranges: "3", next: undefined });
    assert.deepEqual(faultyJobs(store), ["job"]);
  });
}

test("an event without a checksum that is another one is missing", async (t) => {
  const { file, database } = await threeEvents(t);
  database.exec(
    "UPDATE events SET bytes = (SELECT substr(bytes, 1, length(bytes) - 8) FROM events WHERE sequence = 2)",
  );
  database.close();
  assert.deepEqual(await reopened(t, file).missing("job", 1n, 3n), { ranges: "1,3", next: 2n });
});

test("a store of the first version is read, goes on, and what is added has checksums", async (t) => {
  const file = storeFile(t);
  change(file, readFileSync(join(import.meta.dirname, "version-1.sql"), "utf8"));
  const store = reopened(t, file);
  assert.deepEqual([...store.examine()].flat(), []);
  const ended = await store.get("ended");
  assert.deepEqual([ended?.job.result?.kind.value, ended?.job.params, ended?.position], ["done", { x: 1 }, 9]);
  assert.deepEqual(wordsOf(await eventsOf(store, "ended")), ["one", "two", "result"]);
  const [waiting] = await store.unfinished();
  const { given } = (await store.get("waiting")) ?? {};
  assert.deepEqual(given, { params: { value: { x: 1 }, nonFinite: [] }, env: { TOKEN: "t" } });
  assert.equal(waiting?.lost, "");
  const log = new JobLog(waiting?.record ?? recordOf("none"), { store, hub: new WatchHub(), maxEvents: 100 });
  await log.append([...lines("a"), errorEvent(log, new PluginRunnerError("DEADLINE", "over"))]);
  assert.equal((await store.get("waiting"))?.job.state, JobState.FAILED);
  await store.close();
  change(
    file,
    "UPDATE events SET bytes = CAST(substr(bytes, 1, 9) || x'62' || substr(bytes, 11) AS BLOB) WHERE job_id = 'waiting' AND sequence = 1",
  );
  assert.deepEqual(await eventsOf(reopened(t, file), "waiting"), []);
});

test("large records are looked at one with each step, and a fault in one is found", async (t) => {
  const file = storeFile(t);
  const store = reopened(t, file);
  const ids = ["first", "second", "third"];
  for (const id of ids) {
    const record = recordOf(id);
    const value = { text: "x".repeat(100_000) };
    await store.insert({ ...record, given: { ...record.given, params: { value, nonFinite: [] } } });
  }
  assert.ok([...store.examine()].length > ids.length);
  await store.close();
  change(file, "UPDATE jobs SET given = replace(given, 'xxxxx', 'xxxxy') WHERE job_id = 'second'");
  assert.deepEqual(faultyJobs(reopened(t, file)), ["second"]);
});

async function threeEvents(t: TestContext): Promise<{ file: string; database: DatabaseSync }> {
  const file = storeFile(t);
  const store = openSqliteStore(file);
  const { log } = await openLog(t, { store });
  await log.append(lines("1", "2", "3"));
  await store.close();
  return { file, database: new DatabaseSync(file) };
}

function flipped(bytes: Buffer, at: number, bit: number): Buffer {
  bytes.writeUInt8(bytes.readUInt8(at) ^ (1 << bit), at);
  return bytes;
}

/** What is done to the row of a job that ended just now: whether it counts as old, and whether a repair brings it back. */
const changed: readonly (readonly [name: string, set: string, old: boolean, saved: boolean])[] = [
  ["its end moved back", "end_time = -5", false, true],
  ["its times moved back", "end_time = -5, create_time = -9", false, true],
  ["its end and its state changed", "end_time = 5, state = 77", false, true],
  ["its end forgotten", "end_time = NULL", false, true],
  ["another fingerprint", "fingerprint = 'other'", false, true],
  ["a summary that is lost", "summary = x'ff', create_time = 1000", false, false],
  ["a summary that is lost and an end long ago", "summary = x'ff', create_time = 1000, end_time = 2000", true, false],
  ["a summary that is lost and times that cannot be", "summary = x'ff', create_time = 0, end_time = 5", false, false],
  ["a summary that is lost and times in disorder", "summary = x'ff', create_time = 9, end_time = 5", false, false],
];

for (const [name, set, old, saved] of changed) {
  test(`a job that ended just now, with ${name}, ${old ? "goes" : "does not go"} for its age, and is ${saved ? "" : "not "}repaired`, async (t) => {
    const file = await endedJob(t);
    change(file, `UPDATE jobs SET ${set}`);
    const store = reopened(t, file);
    assert.deepEqual(faultyJobs(store), ["job"]);
    assert.deepEqual(await store.endedBefore(Date.now() - 60_000, 10), old ? ["job"] : []);
    await store.close();
    const fresh = storeFile(t);
    assert.equal((await salvage(file, fresh)).jobs, saved ? 1 : 0);
    if (!saved) return;
    const again = reopened(t, fresh);
    assert.equal((await again.get("job"))?.job.state, JobState.FAILED);
    assert.deepEqual(wordsOf(await eventsOf(again)), ["1", "DEADLINE"]);
  });
}

for (const id of ["", "jab"]) {
  test(`a job whose id became "${id}" is named, and a repair brings it back under its own`, async (t) => {
    const file = await endedJob(t);
    change(file, `UPDATE jobs SET job_id = '${id}'`);
    const store = reopened(t, file);
    const found = [...store.examine()].flat();
    assert.equal(found.length, 1);
    assert.match(`${found[0]?.jobId} ${found[0]?.what}`, id === "" ? /job number 1: / : /^jab /);
    const { jobs } = await store.list(undefined, 10, undefined);
    assert.match(
      jobs[0]?.error?.message ?? "",
      id === "" ? /^The record of a job .*\)\. `plugin/ : /Delete the job; or/,
    );
    await store.close();
    const fresh = storeFile(t);
    assert.deepEqual((await salvage(file, fresh)).lost, []);
    const again = reopened(t, fresh);
    assert.deepEqual(wordsOf(await eventsOf(again)), ["1", "DEADLINE"]);
    assert.equal((await again.get("job"))?.job.state, JobState.FAILED);
  });
}

test("a job whose id was lost, and given to another since, does not come back in its place", async (t) => {
  const file = await endedJob(t);
  change(file, "UPDATE jobs SET job_id = ''; DELETE FROM events");
  const store = reopened(t, file);
  await store.insert(recordOf("job", { action: "another" }));
  await store.close();
  const fresh = storeFile(t);
  assert.match((await salvage(file, fresh)).lost.join(), /^job number 1: /);
  assert.equal((await reopened(t, fresh).get("job"))?.job.action, "another");
});

async function endedJob(t: TestContext): Promise<string> {
  const file = storeFile(t);
  const store = openSqliteStore(file);
  const { log } = await openLog(t, { store });
  await log.append([...lines("1"), errorEvent(log, new PluginRunnerError("DEADLINE", "over"))]);
  await store.close();
  return file;
}

/** Without what is of no one job. */
function faultyJobs(store: JobStore): string[] {
  return [...store.examine()].flat().flatMap(({ jobId }) => jobId || []);
}

async function damaged(t: TestContext, sql: string): Promise<JobStore> {
  const file = storeFile(t);
  const store = openSqliteStore(file);
  for (const jobId of ["first", "bad", "last"]) {
    const record = recordOf(jobId, { params: { a: 1 }, labels: { team: "red" } });
    await store.insert({ ...record, given: { ...record.given, env: { COLOUR: "red" } } });
  }
  await store.close();
  change(file, sql);
  return reopened(t, file);
}

function reopened(t: TestContext, file: string): JobStore {
  const store = openSqliteStore(file);
  t.after(() => store.close().catch(() => {}));
  return store;
}

/** A change that the table's own types would refuse: what a bit in the head of a row can make of it. */
function loosened(assignments: string): string {
  return `PRAGMA writable_schema = ON;
    UPDATE sqlite_schema SET sql = replace(replace(sql, ' STRICT', ''), 'NOT NULL', '') WHERE name = 'jobs';
    PRAGMA writable_schema = RESET;
    UPDATE jobs SET ${assignments} WHERE job_id = 'bad';
    PRAGMA writable_schema = ON;
    UPDATE sqlite_schema SET sql = replace(sql, '  )', ') STRICT') WHERE name = 'jobs';`;
}

function change(file: string, sql: string): void {
  const database = new DatabaseSync(file, { defensive: false });
  database.exec(sql);
  database.close();
}
