import { setTimeout as delay } from "node:timers/promises";
import type { Job, JobFilter } from "../../gen/ts/pluginrunner/v1/job_pb.ts";
import { matchesFilter } from "./matches-filter.ts";
import type { JobStore } from "./store/job-store.ts";
import type { WatchHub } from "./watch-hub.ts";

export type JobsUpdate =
  | { kind: "snapshot"; job: Job }
  | { kind: "removed"; jobId: string }
  /** All jobs there were have been sent, or nothing happened for the heartbeat's time. */
  | { kind: "quiet" };

const pageSize = 500;

/** A job that changes often is shown at most this often. */
const pauseMs = 100;

/**
 * Snapshots of all jobs that match, newest first, then of each that changes. Never ends by itself: it throws when the
 * signal aborts. What changes while the caller is slow is shown once, as it is then.
 */
export async function* watchJobs(
  filter: JobFilter | undefined,
  options: { store: JobStore; hub: WatchHub; heartbeatMs: number },
  signal: AbortSignal,
): AsyncGenerator<JobsUpdate, never, undefined> {
  const { store, hub, heartbeatMs } = options;
  const changes = new Map<string, Job | undefined>();
  const shown = new Set<string>();
  let changed = Promise.withResolvers<void>();
  const stop = hub.listen((jobId, job) => {
    changes.set(jobId, job);
    changed.resolve();
  });
  try {
    let cursor: number | undefined;
    do {
      const page = await store.list(filter, pageSize, cursor);
      for (const job of page.jobs) {
        shown.add(job.jobId);
        yield { kind: "snapshot", job };
      }
      cursor = page.cursor;
    } while (cursor !== undefined);
    yield { kind: "quiet" };
    while (true) {
      if (changes.size === 0) changed = Promise.withResolvers();
      const pause = new AbortController();
      const end = AbortSignal.any([signal, pause.signal]);
      const quiet = delay(heartbeatMs, true, { signal: end });
      quiet.catch(() => {});
      const timedOut = await Promise.race([quiet, changed.promise]);
      pause.abort();
      if (timedOut) {
        yield { kind: "quiet" };
        continue;
      }
      const batch = [...changes];
      changes.clear();
      for (const [jobId, job] of batch) {
        if (job && matchesFilter(job, filter)) {
          shown.add(jobId);
          yield { kind: "snapshot", job };
        } else if (shown.delete(jobId)) {
          yield { kind: "removed", jobId };
        }
      }
      await delay(pauseMs, undefined, { signal });
    }
  } finally {
    stop();
  }
}
