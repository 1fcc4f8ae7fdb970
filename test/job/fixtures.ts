import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { TestContext } from "node:test";
import { create, fromBinary, type MessageInitShape } from "@bufbuild/protobuf";
import { timestampFromMs } from "@bufbuild/protobuf/wkt";
import { type JobEvent, JobEventSchema, JobLogSchema } from "../../gen/ts/pluginrunner/v1/job_event_pb.ts";
import { JobSchema, JobState } from "../../gen/ts/pluginrunner/v1/job_pb.ts";
import { type EventDraft, JobLog } from "../../src/job/job-log.ts";
import { stateName } from "../../src/job/job-state.ts";
import type { JobRecord, JobStore } from "../../src/job/store/job-store.ts";
import { openSqliteStore } from "../../src/job/store/sqlite-store.ts";
import { WatchHub } from "../../src/job/watch-hub.ts";

/** The file of a store that is removed with the test. */
export function storeFile(t: TestContext): string {
  const dir = mkdtempSync(join(tmpdir(), "store-"));
  t.after(() => rmSync(dir, { recursive: true, force: true }));
  return join(dir, "jobs.sqlite");
}

export function openStore(t: TestContext): JobStore {
  const store = openSqliteStore(":memory:");
  t.after(() => store.close());
  return store;
}

export function recordOf(jobId: string, job: MessageInitShape<typeof JobSchema> = {}): JobRecord {
  const known = { jobId, plugin: "p", action: "a", state: JobState.PENDING, createTime: timestampFromMs(1000) };
  return {
    job: create(JobSchema, { ...known, ...job }),
    given: { params: { value: {}, nonFinite: [] }, env: {} },
    fingerprint: "mark",
    position: 0,
  };
}

/** A job in a store, with its log. */
export async function openLog(
  t: TestContext,
  { maxEvents = 1000, store = openStore(t), record = recordOf("job") } = {},
) {
  const hub = new WatchHub();
  await store.insert(record);
  return { store, hub, record, log: new JobLog(record, { store, hub, maxEvents }) };
}

/** Lines of output as events. */
export function lines(...messages: string[]): EventDraft[] {
  return messages.map((message) => ({
    timeMs: 1000,
    payload: { case: "log", value: create(JobLogSchema, { message }) },
  }));
}

export async function eventsOf(store: JobStore, jobId = "job", after = 0n): Promise<JobEvent[]> {
  const stored = await store.events(jobId, after, 10_000, Number.POSITIVE_INFINITY);
  return stored.map(({ bytes }) => fromBinary(JobEventSchema, bytes));
}

/** What each event says, in a word. */
export function wordsOf(events: readonly JobEvent[]): unknown[] {
  return events.map(({ payload }) => {
    if (payload.case === "log") return payload.value.message;
    if (payload.case === "stateChanged") return stateName(payload.value.state);
    if (payload.case === "error") return payload.value.reason;
    return payload.case;
  });
}
