import { setTimeout as delay } from "node:timers/promises";
import type { Log } from "../../util/log.ts";
import type { Dashboard, LogFile } from "./dashboard.ts";
import type { RayJob } from "./dashboard-answers.ts";
import { DashboardError } from "./dashboard-error.ts";
import type { JobLookups } from "./job-lookups.ts";
import { filesOf, hasEnded, isGivenUp, type JobEnd } from "./job-states.ts";
import type { StreamBudget } from "./stream-budget.ts";

export interface FollowOptions {
  dashboard: Dashboard;
  lookups: JobLookups;
  streams: StreamBudget;
  /** Whether anybody sees the events as they come. */
  watched: () => boolean;
  /** Whether a job counts as ended although Ray does not say so. */
  abandoned: (job: RayJob) => boolean;
  /** How long events are tried to be read once their job has ended, in milliseconds. Default: 10 minutes. */
  patienceMs?: number;
  log: Log;
}

/** A file that is read anew from its start for every look is read the less often the larger it is. */
const polledBytesPerMs = 2000;
/** How long the events of a job that has ended are tried to be read: its result stands in them, whatever Ray says. */
const unreadableMs = 10 * 60_000;
/** The same where Ray itself says that the node or the file is gone: a cluster that was just started may not know better. */
const goneMs = 10_000;
const lastTryPauseMs = 1000;
/** The pause after a file could not be read while its job goes on. */
const firstLookAgainMs = 125;
const lastLookAgainMs = 4000;
/** A driver makes its file a moment after Ray says that it runs. */
const firstLookMs = 60;
const laterLookMs = 500;
const firstLooks = 50;

/** The file that a job's events stand in, among the logs of its node. */
function eventsFile(job: RayJob): string {
  return `plugin-runner-${filesOf(job)}.events`;
}

/**
 * Yields the events file of a job from an offset on, and what is appended, as it comes or, when too many are followed at
 * a time, in steps. A cluster that does not answer is waited for. Ends when the job has ended and everything was
 * yielded, when its events cannot be read for long after that, or when the cluster does not know the job.
 */
export async function* followJob(
  rayId: string,
  offset: number,
  options: FollowOptions,
  signal: AbortSignal,
): AsyncGenerator<Uint8Array, JobEnd, undefined> {
  const { lookups, streams, watched, abandoned, patienceMs = unreadableMs, log } = options;
  const leave = lookups.follow();
  let position = offset;
  let failures = 0;
  let unreadSince: number | undefined;
  try {
    while (true) {
      const job = await lookups.known(rayId, signal);
      if (!job || abandoned(job)) return { job };
      const over = hasEnded(job);
      let fault: DashboardError | undefined;
      if (job.nodeId !== "") {
        const file = { nodeId: job.nodeId, filename: eventsFile(job) };
        const release = over ? undefined : streams.take(watched());
        try {
          const chunks = release
            ? streamed(rayId, file, options, signal)
            : polled(file, job, position, options, signal);
          for await (const chunk of skip(chunks, position)) {
            position += chunk.length;
            yield chunk;
          }
          failures = 0;
        } catch (error) {
          signal.throwIfAborted();
          if (!(error instanceof DashboardError)) throw error;
          log("debug", "the events of a job could not be read", { job: rayId, error });
          fault = error;
          failures++;
        } finally {
          release?.();
        }
      }
      if (over && !fault) return { job };
      if (over && fault) {
        unreadSince ??= performance.now();
        const limitMs = Math.min(fault.fileIsGone ? goneMs : patienceMs, patienceMs);
        if (performance.now() - unreadSince >= limitMs) return { job, unread: fault };
      }
      const paceMs = Math.max(position / polledBytesPerMs, failures > 0 ? lookAgainMs(failures) : 0);
      await lookups.pause(signal, over ? Math.max(lastTryPauseMs, paceMs) : paceMs);
    }
  } finally {
    leave();
  }
}

/** Longer with each failure: a node that is lost stays so. */
function lookAgainMs(failures: number): number {
  return Math.min(firstLookAgainMs * 2 ** failures, lastLookAgainMs);
}

/** The whole file as it is. Less than was there before is no answer. */
async function* polled(
  file: LogFile,
  job: RayJob,
  position: number,
  { dashboard }: FollowOptions,
  signal: AbortSignal,
) {
  const content = await dashboard.logFile(file, signal);
  if (content) yield content;
  // A job makes its file before it does anything: only one that failed early has none.
  if (content ? content.length < position : job.status === "SUCCEEDED" && !isGivenUp(job)) {
    throw dashboard.unread(file, content);
  }
}

/** The file from its start, until its job has ended or the connection is of no use any more. */
async function* streamed(rayId: string, file: LogFile, { dashboard, lookups }: FollowOptions, signal: AbortSignal) {
  const ended = new AbortController();
  const until = AbortSignal.any([signal, ended.signal]);
  const end = () => ended.abort();
  const watching = lookups.over(rayId, until).then(end, end);
  try {
    const chunks = await onceThere(dashboard, file, until);
    for await (const chunk of chunks) yield chunk;
  } catch (error) {
    signal.throwIfAborted();
    if (!ended.signal.aborted) throw error;
  } finally {
    end();
    await watching;
  }
}

async function onceThere(dashboard: Dashboard, file: LogFile, signal: AbortSignal): Promise<AsyncIterable<Uint8Array>> {
  for (let looks = 0; ; looks++) {
    const chunks = await dashboard.streamLog(file, signal);
    if (chunks) return chunks;
    await delay(looks < firstLooks ? firstLookMs : laterLookMs, undefined, { signal });
  }
}

/** What comes after the first bytes. */
async function* skip(chunks: AsyncIterable<Uint8Array>, bytes: number) {
  let left = bytes;
  for await (const chunk of chunks) {
    if (left < chunk.length) yield left === 0 ? chunk : chunk.subarray(left);
    left = Math.max(left - chunk.length, 0);
  }
}
