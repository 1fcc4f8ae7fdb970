import { PluginRunnerError } from "../errors.ts";
import { Bell } from "../util/bell.ts";
import { isTerminal, stateName } from "./job-state.ts";
import type { JobRecord, JobStore, StoredEvent } from "./store/job-store.ts";
import { encodeEvents, type WatchHub } from "./watch-hub.ts";

/** What to wait for before the watcher takes more; undefined when it takes more at once. */
export type Pace = Promise<void> | undefined;

/** One who watches a job. Calls instead of an iterator: with many watchers those would cost most of the memory. */
export interface Watcher {
  snapshot(record: JobRecord): Pace;
  /** `message` is an encoded response with events up to `last`. */
  events(message: Buffer, last: bigint): Pace;
  /** Nothing happened for the heartbeat's time. */
  quiet(last: bigint): Pace;
}

const pageEvents = 1000;
const pageBytes = 256 * 1024;

export interface WatchOptions {
  store: JobStore;
  hub: WatchHub;
  /** The record of a job; that of a job that has not ended changes with it. */
  find: (jobId: string) => Promise<JobRecord | undefined>;
  heartbeatMs: number;
}

/**
 * Tells a watcher a snapshot, then every event after `after`, then those that come, until the terminal one, at the pace
 * that it sets: a slow one costs no memory. Rejects with JOB_NOT_FOUND, EVENTS_EXPIRED, DATA_LOSS
 * where events are gone that should be kept, or the signal's reason.
 */
export async function watchJob(
  jobId: string,
  after: bigint,
  watcher: Watcher,
  options: WatchOptions,
  signal: AbortSignal,
): Promise<void> {
  const { hub, heartbeatMs } = options;
  const bell = new Bell();
  const ring = () => bell.ring();
  let quiet = false;
  const timer = setTimeout(() => {
    quiet = true;
    bell.ring();
  }, heartbeatMs);
  const silence = {
    isOver: () => quiet,
    restart() {
      quiet = false;
      timer.refresh();
    },
  };
  hub.join(jobId, bell);
  signal.addEventListener("abort", ring, { once: true });
  try {
    await follow(jobId, after, watcher, options, { bell, silence }, signal);
  } finally {
    clearTimeout(timer);
    signal.removeEventListener("abort", ring);
    hub.leave(jobId, bell);
  }
}

/** The time in which nothing was told. */
interface Silence {
  isOver(): boolean;
  restart(): void;
}

async function follow(
  jobId: string,
  after: bigint,
  watcher: Watcher,
  { hub, store, find }: WatchOptions,
  { bell, silence }: { bell: Bell; silence: Silence },
  signal: AbortSignal,
): Promise<void> {
  let record = await find(jobId);
  if (!record) throw jobNotFound(jobId);
  await watcher.snapshot(record);
  checkKept(record, after);
  let last = after;
  while (true) {
    signal.throwIfAborted();
    const batch = hub.next(jobId, last);
    if (batch) {
      const pace = watcher.events(batch.message, batch.last);
      last = batch.last;
      silence.restart();
      if (pace) await pace;
      if (batch.terminal) return;
      continue;
    }
    const behind = last < record.job.lastSequence;
    const events = behind ? whole(await store.events(jobId, last, pageEvents, pageBytes), last) : [];
    const newest = events.at(-1);
    if (newest) {
      last = newest.sequence;
      silence.restart();
      await watcher.events(encodeEvents(events), last);
    } else if (behind) {
      // They were trimmed or deleted meanwhile; or else they are lost, and nothing that comes can be told in order.
      record = await find(jobId);
      if (!record) throw jobNotFound(jobId);
      checkKept(record, last);
      const lost = await findLost(record, last, store);
      if (lost) throw lost;
    } else if (isTerminal(record.job.state)) {
      return;
    } else if (silence.isOver()) {
      record = await find(jobId);
      if (!record) throw jobNotFound(jobId);
      silence.restart();
      await watcher.quiet(last);
    } else {
      await bell.wait();
    }
  }
}

/** The events up to where one is missing. */
function whole(events: readonly StoredEvent[], last: bigint): readonly StoredEvent[] {
  const gap = events.findIndex(({ sequence }, at) => sequence !== last + BigInt(at) + 1n);
  return gap < 0 ? events : events.slice(0, gap);
}

async function findLost({ job }: JobRecord, last: bigint, store: JobStore): Promise<PluginRunnerError | undefined> {
  const { jobId, lastSequence, state } = job;
  const found = await store.missing(jobId, last + 1n, lastSequence);
  if (found.ranges === "" && whole(await store.events(jobId, last, 1, 1), last).length > 0) return undefined;
  const { next } = found;
  const ranges = found.ranges || `${last + 1n}`;
  const rest = next === undefined ? "None after them is kept" : `Watch the job after ${next - 1n} for the others`;
  return new PluginRunnerError(
    "DATA_LOSS",
    `Events ${ranges} of job ${jobId} (${stateName(state)}) are lost: the service's data was damaged. ${rest}.`,
    {
      metadata: {
        ...metadata(jobId, last, job.oldestSequence, lastSequence),
        missing_sequences: ranges,
        ...(next !== undefined && { next_sequence: String(next) }),
      },
    },
  );
}

export function jobNotFound(jobId: string): PluginRunnerError {
  return new PluginRunnerError("JOB_NOT_FOUND", `There is no job ${jobId}.`, { metadata: { job_id: jobId } });
}

function checkKept({ job }: JobRecord, after: bigint): void {
  if (after > job.lastSequence) {
    throw new PluginRunnerError(
      "EVENTS_EXPIRED",
      `Job ${job.jobId} has ${job.lastSequence} events so far: watch it after one of them.`,
      { metadata: metadata(job.jobId, after, job.oldestSequence, job.lastSequence) },
    );
  }
  if (after + 1n < job.oldestSequence) {
    throw new PluginRunnerError(
      "EVENTS_EXPIRED",
      `Events of job ${job.jobId} before ${job.oldestSequence} are no longer kept: watch it after ${job.oldestSequence - 1n}.`,
      { metadata: metadata(job.jobId, after, job.oldestSequence, job.lastSequence) },
    );
  }
}

function metadata(jobId: string, after: bigint, oldest: bigint, last: bigint): Record<string, string> {
  return {
    job_id: jobId,
    after_sequence: String(after),
    oldest_sequence: String(oldest),
    last_sequence: String(last),
  };
}
