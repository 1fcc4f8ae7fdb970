import { setTimeout as delay } from "node:timers/promises";
import { JobState } from "../../gen/ts/pluginrunner/v1/job_pb.ts";
import type { JobEngine } from "../engine/engine.ts";
import { PluginRunnerError } from "../errors.ts";
import { errorEvent } from "../job/follow-events.ts";
import { JobLog } from "../job/job-log.ts";
import { dataLoss, repairHint } from "../job/store/data-loss.ts";
import type { JobStore, UnfinishedJob } from "../job/store/job-store.ts";
import type { WatchHub } from "../job/watch-hub.ts";
import type { Log } from "../util/log.ts";

interface LostJobsOptions {
  store: JobStore;
  hub: WatchHub;
  engine: JobEngine;
  maxEvents: number;
  log: Log;
}

/** A step of the look at the store takes a few milliseconds; the rest of the time is others'. */
const pauseMs = 25;

/**
 * Ends a job that has not ended and of which something cannot be read any more, unless all that is lost is no longer needed.
 * Returns whether it can be carried on.
 */
export async function endLost(unfinished: UnfinishedJob, options: LostJobsOptions): Promise<boolean> {
  const { record, lost, known } = unfinished;
  const { store, hub, engine, maxEvents, log } = options;
  const { jobId, state } = record.job;
  log("error", "the record of a job cannot be read", { job: jobId, what: lost, do: repairHint });
  if (known && state !== JobState.PENDING) return true;
  const id = engine.idOf(jobId, record.fingerprint);
  try {
    const given = await engine.giveUp(id);
    if (known && !given) return true;
    await engine.stop(id);
    const jobLog = new JobLog(record, { store, hub, maxEvents });
    if (known) await jobLog.append([errorEvent(jobLog, dataLoss(jobId, lost))]);
    else await store.fail(jobId);
  } catch (error) {
    log("error", "a job whose record cannot be read could not be ended", { job: jobId, error });
  }
  return false;
}

/** Logs what of the store cannot be read, each fault once, beside what the service has to do. */
export async function reportFaults(store: JobStore, told: Set<string>, log: Log, signal: AbortSignal): Promise<void> {
  for (const faults of store.examine()) {
    for (const { jobId, what } of faults) {
      if (jobId !== "" && told.has(jobId)) continue;
      told.add(jobId);
      const where = jobId === "" ? "the database of jobs is damaged" : "the record of a job cannot be read";
      log("error", where, { ...(jobId !== "" && { job: jobId }), what, do: repairHint });
    }
    await delay(pauseMs, undefined, { signal }).catch(() => {});
    if (signal.aborted) return;
  }
}

export function isDataLoss(error: unknown): error is PluginRunnerError {
  return error instanceof PluginRunnerError && error.reason === "DATA_LOSS";
}
