import { setTimeout as delay } from "node:timers/promises";
import { type Job, type JobFilter, JobState } from "../../gen/ts/pluginrunner/v1/job_pb.ts";
import type { JobEngine, JobStart } from "../engine/engine.ts";
import { PluginRunnerError, shuttingDown } from "../errors.ts";
import { BuildLines } from "../job/build-lines.ts";
import { errorEvent, followEvents } from "../job/follow-events.ts";
import { JobLog } from "../job/job-log.ts";
import { isTerminal, stateName } from "../job/job-state.ts";
import type { JobPage, JobRecord, JobStore } from "../job/store/job-store.ts";
import type { WatchHub } from "../job/watch-hub.ts";
import { jobNotFound } from "../job/watch-job.ts";
import type { Snapshots } from "../plugin/snapshots.ts";
import type { Log } from "../util/log.ts";

export interface JobsOptions {
  store: JobStore;
  hub: WatchHub;
  engine: JobEngine;
  /** Finds the code of a job again, after a restart of the service, or asks it for its verdict on the params. */
  restore: (record: JobRecord, starting: Starting, signal: AbortSignal) => Promise<JobStart>;
  /** Keeps the snapshots that jobs run from. A job's own is claimed before it is submitted. */
  snapshots?: Pick<Snapshots, "claim" | "release">;
  maxQueued: number;
  maxEvents: number;
  maxResultBytes: number;
  /** How long a job that has ended is kept, in milliseconds. */
  retentionMs: number;
  log: Log;
}

/** What becomes of a job until its process is there. */
export interface Starting {
  /** Says what the job waits for. */
  report(detail: string): void;
  /** Takes a line that was written while the job's environment is built. */
  line(line: string): void;
  /** Replaces what the job was given. */
  settle: JobLog["settle"];
}

/** How long to wait before what failed here, and not in the job, is tried again. */
const retryMs = 1000;
const sweepMs = 60_000;
const sweepBatch = 100;

interface Carried {
  log: JobLog;
  /** Aborts a start that is under way. */
  starting: AbortController;
  /** Resolves when the job is no longer carried. */
  done: Promise<void>;
}

/** Carries every job that has not ended, from its record to its last event; knows the others from the store. */
export class Jobs {
  readonly #options: JobsOptions;
  readonly #carried = new Map<string, Carried>();
  readonly #work = new Set<Promise<void>>();
  readonly #closing = new AbortController();
  #sweeper: NodeJS.Timeout | undefined;

  constructor(options: JobsOptions) {
    this.#options = options;
  }

  /** Goes on with the jobs that an earlier service left, and begins to remove those past their retention. */
  async open(): Promise<void> {
    for (const record of await this.#options.store.unfinished()) this.#carry(record, undefined, false);
    this.#sweeper = setInterval(() => this.#sweep(), sweepMs).unref();
    this.#sweep();
  }

  /** How many jobs have not started yet. */
  get queued(): number {
    let count = 0;
    for (const { log } of this.#carried.values()) if (log.job.state === JobState.PENDING) count++;
    return count;
  }

  /** Records a job and starts it, as `start` says, or `restore` where that is undefined. False when its id is taken. OVERLOADED when too many wait. */
  async submit(record: JobRecord, start: JobStart | undefined): Promise<boolean> {
    const { maxQueued, store, hub } = this.#options;
    if (this.queued >= maxQueued) throw overloaded(maxQueued);
    if (!(await store.insert(record))) return false;
    hub.added(record.job);
    this.#carry(record, start, true);
    return true;
  }

  /** The record of a job; that of one that has not ended changes with it. */
  async find(jobId: string): Promise<JobRecord | undefined> {
    return this.#carried.get(jobId)?.log.record ?? this.#options.store.get(jobId);
  }

  async get(jobId: string): Promise<JobRecord> {
    const record = await this.find(jobId);
    if (!record) throw jobNotFound(jobId);
    return record;
  }

  list(filter: JobFilter | undefined, limit: number, cursor: number | undefined): Promise<JobPage> {
    return this.#options.store.list(filter, limit, cursor);
  }

  /** Tells a job to stop. One that has ended stays as it is. */
  async cancel(jobId: string): Promise<Job> {
    const carried = this.#carried.get(jobId);
    if (!carried) return (await this.get(jobId)).job;
    const { log, starting } = carried;
    await log.change(JobState.CANCELLING, "");
    starting.abort(new PluginRunnerError("CANCELLED", "The job was cancelled before it started."));
    await this.#options.engine.stop(this.#engineId(log.record));
    return log.job;
  }

  /** Deletes a job that has ended, with its events and files. */
  async delete(jobId: string): Promise<void> {
    const record = await this.get(jobId);
    if (!isTerminal(record.job.state)) throw notFinished(record.job);
    // Its last event is known a little before its files are let go.
    await this.#carried.get(jobId)?.done;
    await this.#options.engine.remove(this.#engineId(record));
    await this.#options.store.delete(jobId);
    this.#options.hub.deleted(jobId);
  }

  /** Stops to carry jobs. Their processes go on, and the next service with them. */
  async close(): Promise<void> {
    clearInterval(this.#sweeper);
    this.#closing.abort(shuttingDown());
    await Promise.all(this.#work);
    await this.#options.engine.close();
  }

  #carry(record: JobRecord, start: JobStart | undefined, claimed: boolean): void {
    const { store, hub, maxEvents, snapshots } = this.#options;
    const { files } = record.given; // forgotten when the job ends
    if (files !== undefined && !claimed) snapshots?.claim(files);
    const log = new JobLog(record, { store, hub, maxEvents });
    const carried: Carried = { log, starting: new AbortController(), done: Promise.resolve() };
    this.#carried.set(record.job.jobId, carried);
    carried.done = this.#track(
      this.#carryToEnd(carried, start).finally(() => {
        if (files !== undefined && isTerminal(log.job.state)) snapshots?.release(files);
      }),
    );
  }

  #engineId({ job, fingerprint }: JobRecord): string {
    return this.#options.engine.idOf(job.jobId, fingerprint);
  }

  /** `close` waits for it. */
  #track(work: Promise<void>): Promise<void> {
    const tracked = work.finally(() => this.#work.delete(tracked));
    this.#work.add(tracked);
    return tracked;
  }

  /** What goes wrong here and not in the job (a full disk, say) is tried again from what is kept. */
  async #carryToEnd(carried: Carried, start: JobStart | undefined): Promise<void> {
    const { jobId } = carried.log.job;
    const { log } = this.#options;
    const closing = this.#closing.signal;
    while (!closing.aborted) {
      try {
        await this.#carryOnce(carried, start);
        this.#carried.delete(jobId);
        return;
      } catch (error) {
        if (closing.aborted) return;
        log("error", "a job could not be carried on and is tried again", { job: jobId, error });
        await delay(retryMs, undefined, { signal: closing }).catch(() => {});
        await this.#reload(carried);
      }
    }
  }

  async #carryOnce({ log, starting }: Carried, start: JobStart | undefined): Promise<void> {
    const { engine, maxResultBytes } = this.#options;
    const id = this.#engineId(log.record);
    if (log.job.state === JobState.PENDING) {
      const failed = await this.#start(log, start, AbortSignal.any([starting.signal, this.#closing.signal]));
      if (failed) return log.append([errorEvent(log.job, failed)]);
    }
    if (log.job.state === JobState.CANCELLING) await engine.stop(id);
    const chunks = engine.follow(id, log.record.position, this.#closing.signal);
    await followEvents(log, chunks, { maxResultBytes, explain: async () => engine.explain?.(id) });
  }

  /** Returns what kept the job from starting. Throws when that is the end of this service. */
  async #start(log: JobLog, start: JobStart | undefined, signal: AbortSignal): Promise<PluginRunnerError | undefined> {
    const lost = (error: unknown) => {
      this.#options.log("error", "an event could not be kept", { job: log.job.jobId, error });
    };
    const report = (detail: string) => {
      log.change(JobState.PENDING, detail).catch(lost);
    };
    const lines = new BuildLines(log, lost);
    const starting: Starting = { report, line: lines.add, settle: (seen, given) => log.settle(seen, given) };
    const id = this.#engineId(log.record);
    try {
      const load = async () => {
        const loaded = start ?? (await this.#options.restore(log.record, starting, signal));
        return { ...loaded, buildLine: lines.add };
      };
      await this.#options.engine.start(id, load, report, signal);
      return undefined;
    } catch (error) {
      this.#closing.signal.throwIfAborted();
      if (!(await this.#options.engine.giveUp(id))) return undefined;
      if (!(error instanceof PluginRunnerError)) {
        this.#options.log("error", "a job could not be started", { job: log.job.jobId, error });
      }
      return PluginRunnerError.from(error);
    } finally {
      lines.end();
    }
  }

  /** What the store has is what happened. */
  async #reload({ log }: Carried): Promise<void> {
    const kept = await this.#options.store.get(log.job.jobId).catch(() => undefined);
    if (kept) Object.assign(log.record, kept);
  }

  #sweep(): void {
    this.#track(
      this.#removeExpired().catch((error: unknown) => {
        this.#options.log("error", "old jobs could not be removed", { error });
      }),
    );
  }

  async #removeExpired(): Promise<void> {
    const { store, retentionMs } = this.#options;
    const before = Date.now() - retentionMs;
    let removed: number;
    do {
      removed = 0;
      for (const jobId of await store.endedBefore(before, sweepBatch)) {
        if (this.#closing.signal.aborted) return;
        try {
          await this.delete(jobId);
          removed++;
        } catch (error) {
          this.#options.log("error", "an old job could not be removed", { job: jobId, error });
        }
      }
    } while (removed > 0);
  }
}

function overloaded(limit: number): PluginRunnerError {
  return new PluginRunnerError("OVERLOADED", `${limit} jobs wait already; try again later.`, {
    metadata: { limit: "max_queued_jobs", value: String(limit) },
    retryAfterMs: 5000,
  });
}

function notFinished(job: Job): PluginRunnerError {
  const state = stateName(job.state);
  return new PluginRunnerError("JOB_NOT_FINISHED", `Job ${job.jobId} is ${state}: cancel it, or wait for its end.`, {
    metadata: { job_id: job.jobId, state },
  });
}
