import assert from "node:assert/strict";
import { DatabaseSync } from "node:sqlite";
import { test } from "node:test";
import { fromBinary } from "@bufbuild/protobuf";
import { JobState } from "../../gen/ts/pluginrunner/v1/job_pb.ts";
import { WatchJobResponseSchema } from "../../gen/ts/pluginrunner/v1/plugin_runner_pb.ts";
import { PluginRunnerError } from "../../src/errors.ts";
import { errorEvent } from "../../src/job/follow-events.ts";
import type { JobLog } from "../../src/job/job-log.ts";
import type { JobRecord, JobStore } from "../../src/job/store/job-store.ts";
import { openSqliteStore } from "../../src/job/store/sqlite-store.ts";
import type { WatchHub } from "../../src/job/watch-hub.ts";
import { type Watcher, watchJob } from "../../src/job/watch-job.ts";
import { lines, openLog, recordOf, storeFile, wordsOf } from "./fixtures.ts";

test("a watch gets a snapshot, what was there, what comes, and ends with the last event", async (t) => {
  const opened = await openLog(t);
  await opened.log.append(lines("a"));
  const { words, caughtUp, done } = watch(opened);
  await caughtUp("a");
  await opened.log.append(lines("b", "c"));
  await end(opened.log);
  await done;
  assert.deepEqual(words, ["snapshot", "a", "b", "c", "CANCELLED"]);
});

test("a watch that resumes gets what it has not seen", async (t) => {
  const opened = await openLog(t);
  await opened.log.append(lines("a", "b", "c"));
  const { words, done } = watch(opened, { after: 2n });
  await end(opened.log);
  await done;
  assert.deepEqual(words, ["snapshot", "c", "CANCELLED"]);
});

test("a job that has ended is told from the store", async (t) => {
  const opened = await openLog(t);
  await opened.log.append(lines("a"));
  await end(opened.log);
  const { words, done } = watch(opened);
  await done;
  assert.deepEqual(words, ["snapshot", "a", "CANCELLED"]);
  const { words: rest, done: over } = watch(opened, { after: 2n });
  await over;
  assert.deepEqual(rest, ["snapshot"]);
});

test("a watcher that falls far behind the tail goes on from the store, and misses nothing", async (t) => {
  const opened = await openLog(t, { maxEvents: 100_000 });
  const hold = Promise.withResolvers<void>();
  const { words, done } = watch(opened, { hold: hold.promise });
  const expected: string[] = [];
  for (let index = 0; index < 3000; index++) {
    expected.push(`${index} ${"x".repeat(1000)}`);
    await opened.log.append(lines(...expected.slice(-1)));
  }
  await end(opened.log);
  hold.resolve();
  await done;
  assert.deepEqual(words, ["snapshot", ...expected, "CANCELLED"]);
});

test("a watcher whose events were trimmed while it was slow is told so", async (t) => {
  const opened = await openLog(t, { maxEvents: 100 });
  const hold = Promise.withResolvers<void>();
  const { done } = watch(opened, { hold: hold.promise });
  const failed = assert.rejects(done, (error) => isError(error, "EVENTS_EXPIRED"));
  for (let index = 0; index < 3000; index++) await opened.log.append(lines("x".repeat(1000)));
  hold.resolve();
  await failed;
});

test("a position that is not kept, or not there yet, is refused, and says what is", async (t) => {
  const opened = await openLog(t, { maxEvents: 100 });
  await opened.log.append(lines(...Array.from({ length: 150 }, String)));
  const { oldestSequence } = opened.log.job;
  for (const after of [0n, 151n]) {
    await assert.rejects(watch(opened, { after }).done, (error) => {
      assert.ok(error instanceof PluginRunnerError && error.reason === "EVENTS_EXPIRED");
      assert.deepEqual(error.metadata, {
        job_id: "job",
        after_sequence: String(after),
        oldest_sequence: String(oldestSequence),
        last_sequence: "150",
      });
      return true;
    });
  }
  await assert.rejects(watch(opened, { jobId: "other" }).done, (error) => isError(error, "JOB_NOT_FOUND"));
});

for (const [what, sql, told, ranges, next] of [
  ["all", "DELETE FROM events", [], "1-6", undefined],
  ["some in the middle", "DELETE FROM events WHERE sequence IN (3, 4)", ["a", "b"], "3-4", "5"],
  ["the last ones", "DELETE FROM events WHERE sequence > 4", ["a", "b", "c", "d"], "5-6", undefined],
  [
    "one that cannot be read",
    "UPDATE events SET bytes = CAST(x'00' || bytes AS BLOB) WHERE sequence = 2",
    ["a"],
    "2",
    "3",
  ],
] as const) {
  test(`a job that has lost events (${what}) is told up to there, and the watch ends`, async (t) => {
    const file = storeFile(t);
    const before = await openLog(t, { store: openSqliteStore(file) });
    await before.log.append(lines("a", "b", "c", "d", "e"));
    await end(before.log);
    await before.store.close();
    const database = new DatabaseSync(file);
    database.exec(sql);
    database.close();
    const store = openSqliteStore(file);
    t.after(() => store.close());
    const { words, done } = watch({ ...before, store });
    await assert.rejects(done, (error) => {
      assert.ok(error instanceof PluginRunnerError && error.reason === "DATA_LOSS");
      assert.deepEqual(
        [error.metadata.job_id, error.metadata.missing_sequences, error.metadata.next_sequence],
        ["job", ranges, next],
      );
      return true;
    });
    assert.deepEqual(words, ["snapshot", ...told]);
  });
}

test("heartbeats come while nothing happens, with the last position, and again after an event", async (t) => {
  const opened = await openLog(t);
  const { words, caughtUp, done } = watch(opened, { heartbeatMs: 20 });
  await caughtUp("quiet 0");
  await opened.log.append(lines("a"));
  await caughtUp("quiet 1");
  await end(opened.log);
  await done;
  assert.deepEqual(
    words.filter((word, at) => word !== words[at - 1]),
    ["snapshot", "quiet 0", "a", "quiet 1", "CANCELLED"],
  );
});

test("a job that is deleted while it is watched ends the watch at the next heartbeat", async (t) => {
  const opened = await openLog(t);
  const { caughtUp, done } = watch({ ...opened, found: false }, { heartbeatMs: 20 });
  await caughtUp("snapshot");
  await assert.rejects(done, (error) => isError(error, "JOB_NOT_FOUND"));
});

test("a watch that begins with a record of the past catches up with the job at the next heartbeat", async (t) => {
  const opened = await openLog(t);
  await opened.log.append(lines("a"));
  await end(opened.log);
  const { words, done } = watch({ ...opened, first: recordOf("job") }, { heartbeatMs: 20 });
  await done;
  assert.deepEqual(words, ["snapshot", "quiet 0", "a", "CANCELLED"]);
});

test("a watch ends with its signal, and leaves nothing behind in the hub", async (t) => {
  const opened = await openLog(t);
  const leave = new AbortController();
  const { caughtUp, done } = watch(opened, { signal: leave.signal });
  await opened.log.append(lines("a"));
  await caughtUp("a");
  leave.abort(new Error("left"));
  await assert.rejects(done, /left/);
  await opened.log.append(lines("b"));
  assert.equal(opened.hub.next("job", 1n), undefined);
});

interface Opened {
  store: JobStore;
  hub: WatchHub;
  log: JobLog;
  /** Whether the job is still there when it is looked for again. Default: true. */
  found?: boolean;
  /** The record that is found first. Default: the log's own. */
  first?: JobRecord;
}

interface Options {
  jobId?: string;
  after?: bigint;
  heartbeatMs?: number;
  hold?: Promise<void>;
  signal?: AbortSignal;
}

/** A watch, what it was told so far, and a way to wait for a word of it. */
function watch(opened: Opened, options: Options = {}) {
  const { store, hub, log, found = true, first = log.record } = opened;
  const { jobId = "job", after = 0n, heartbeatMs = 60_000, hold, signal = new AbortController().signal } = options;
  const words: unknown[] = [];
  const waiting = new Map<unknown, () => void>();
  const tell = (...more: unknown[]) => {
    words.push(...more);
    for (const word of more) waiting.get(word)?.();
    return hold;
  };
  const watcher: Watcher = {
    snapshot: () => tell("snapshot"),
    events(message) {
      const { update } = fromBinary(WatchJobResponseSchema, message);
      return tell(...(update.case === "events" ? wordsOf(update.value.events) : []));
    },
    quiet: (last) => tell(`quiet ${last}`),
  };
  let asked = 0;
  const find = async (id: string) => {
    if (id !== "job") return undefined;
    if (asked++ === 0) return first;
    return found ? log.record : undefined;
  };
  const done = watchJob(jobId, after, watcher, { store, hub, find, heartbeatMs }, signal);
  const caughtUp = (word: string) =>
    words.includes(word) ? undefined : new Promise<void>((resolve) => waiting.set(word, resolve));
  return { words, caughtUp, done };
}

async function end(log: JobLog): Promise<void> {
  await log.append([errorEvent(log, new PluginRunnerError("CANCELLED", "over"))]);
  assert.equal(log.job.state, JobState.CANCELLED);
}

function isError(error: unknown, reason: string): boolean {
  return error instanceof PluginRunnerError && error.reason === reason;
}
