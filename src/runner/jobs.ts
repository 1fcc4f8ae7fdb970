import { setTimeout as delay } from "node:timers/promises";
import { timestampMs } from "@bufbuild/protobuf/wkt";
import { type Job, type JobFilter, JobState } from "../../gen/ts/pluginrunner/v1/job_pb.ts";
import type { JobEngine, JobGiven, JobStart } from "../engine/engine.ts";
import { PluginRunnerError, shuttingDown } from "../errors.ts";
import { BuildLines } from "../job/build-lines.ts";
import { errorEvent, followEvents } from "../job/follow-events.ts";
import { JobLog } from "../job/job-log.ts";
import { isTerminal, stateName } from "../job/job-state.ts";
import { repairHint } from "../job/store/data-loss.ts";
import type { JobPage, JobRecord, JobStore } from "../job/store/job-store.ts";
import type { WatchHub } from "../job/watch-hub.ts";
import { jobNotFound } from "../job/watch-job.ts";
import type { Snapshots } from "../plugin/snapshots.ts";
import { diskFault, orStorageUnavailable, storageUnavailable } from "../storage-error.ts";
import type { Log } from "../util/log.ts";
import { storageCodeOf } from "../util/storage-code.ts";
import { Troubles } from "../util/troubles.ts";
import { endLost, isDataLoss, reportFaults } from "./lost-jobs.ts";
import type { Storage } from "./storage.ts";

export interface JobsOptions {
  store: JobStore;
  hub: WatchHub;
  engine: JobEngine;
  /** Finds the code of a job again, after a restart of the service, or asks it for its verdict on the params. */
  restore: (record: JobRecord, starting: Starting, signal: AbortSignal) => Promise<JobStart>;
  /** Keeps the snapshots that jobs run from. A job's own is claimed before it is submitted. */
  snapshots?: Pick<Snapshots, "claim" | "release">;
  /** Told what goes wrong here and not in a job: it may be the disk's fault. */
  storage?: Pick<Storage, "failed">;
  maxQueued: number;
  /** How many bytes of params and variables jobs that wait may have. */
  maxQueuedBytes: number;
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
  /** Reads the params and variables of the job. */
  given(): Promise<JobGiven>;
  /** Replaces what the job was given. */
  settle: JobLog["settle"];
}

/** How long to wait before what failed here, and not in the job, is tried again. */
const retryMs = 1000;
/** What has not failed again for so long goes on. */
const calmMs = 5000;
const sweepMs = 60_000;
const sweepBatch = 100;

interface Carried {
  log: JobLog;
  /** How much it was given. */
  bytes: number;
  /** Whether it was submitted to this service, and not to an earlier one. */
  fresh: boolean;
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
  readonly #troubles: Troubles;
  /** Jobs whose records cannot be read, and whoever reads the log knows it. */
  readonly #told = new Set<string>();
  /** Jobs whose records cannot be written any more, and why. */
  readonly #lost = new Map<string, PluginRunnerError>();
  #sweeper: NodeJS.Timeout | undefined;

  constructor(options: JobsOptions) {
    this.#options = options;
    this.#troubles = new Troubles(options.log);
  }

  /** Goes on with the jobs that an earlier service left, and begins to remove those past their retention. */
  async open(): Promise<void> {
    const { store, engine, log } = this.#options;
    await engine.open?.(await store.ids());
    for (const unfinished of await store.unfinished()) {
      const { record, bytes, lost } = unfinished;
      if (lost !== "") this.#told.add(record.job.jobId);
      if (lost === "" || (await endLost(unfinished, this.#options))) this.#carry(record, bytes, undefined, false);
    }
    this.#track(reportFaults(store, this.#told, log, this.#closing.signal));
    this.#sweeper = setInterval(() => this.#sweep(), sweepMs).unref();
    this.#sweep();
  }

  /** Whether the records of all jobs that had not ended could be read. */
  get complete(): boolean {
    return this.#told.size === 0;
  }

  /** How many jobs have not started yet, and how much they were given. */
  get queued(): { count: number; bytes: number } {
    const queued = { count: 0, bytes: 0 };
    for (const { log, bytes } of this.#carried.values()) {
      if (log.job.state !== JobState.PENDING) continue;
      queued.count++;
      queued.bytes += bytes;
    }
    return queued;
  }

  /** The digests of the environments of jobs that have not ended; undefined while there is a job of which this is not known. */
  get environments(): Set<string> | undefined {
    if (!this.complete || this.#lost.size > 0) return undefined;
    return new Set([...this.#carried.values()].flatMap(({ log }) => log.record.given.environment ?? []));
  }

  /** Records a job and starts it, as `start` says, or `restore` where that is undefined. False when its id is taken. OVERLOADED when too many wait, ENGINE_UNAVAILABLE once closed. */
  async submit(record: JobRecord, start: JobStart | undefined): Promise<boolean> {
    const { maxQueued, maxQueuedBytes, store, hub } = this.#options;
    this.#closing.signal.throwIfAborted();
    const { count, bytes } = this.queued;
    if (count >= maxQueued) throw overloaded("max_queued_jobs", maxQueued, `${maxQueued} jobs`);
    if (bytes >= maxQueuedBytes)
      throw overloaded("max_queued_job_size", maxQueuedBytes, `Jobs with ${bytes} bytes of params`);
    const kept = await store.insert(record).catch((error: unknown) => {
      throw orStorageUnavailable(error);
    });
    if (kept === undefined) return false;
    hub.added(record.job);
    this.#carry(record, kept, start, true);
    return true;
  }

  /** The record of a job as it is kept now. */
  async find(jobId: string): Promise<JobRecord | undefined> {
    const lost = this.#lost.get(jobId);
    if (lost) throw lost;
    return this.#options.store.get(jobId);
  }

  /** What a job is given that has not started yet. */
  async given(jobId: string): Promise<JobGiven> {
    const { params, env } = (await this.get(jobId)).given;
    return { params, env };
  }

  async get(jobId: string): Promise<JobRecord> {
    const record = await this.find(jobId);
    if (!record) throw jobNotFound(jobId);
    return record;
  }

  list(filter: JobFilter | undefined, limit: number, cursor: number | undefined): Promise<JobPage> {
    return this.#options.store.list(filter, limit, cursor);
  }

  /** Tells a job to stop, also where that cannot be kept yet. One that has ended stays as it is. */
  async cancel(jobId: string): Promise<Job> {
    const carried = this.#carried.get(jobId);
    if (!carried) return (await this.get(jobId)).job;
    const { log, starting } = carried;
    const kept = log.cancel().catch((error: unknown) => {
      if (storageCodeOf(error) === undefined) throw error;
    });
    starting.abort(new PluginRunnerError("CANCELLED", "The job was cancelled before it started."));
    await Promise.all([kept, this.#options.engine.stop(this.#engineId(log.record))]);
    const { job } = await this.get(jobId);
    return isTerminal(job.state) ? job : { ...job, state: JobState.CANCELLING, stateDetail: "" };
  }

  /** Deletes a job that has ended, with its events and files. */
  async delete(jobId: string): Promise<void> {
    const record = await this.#deletable(jobId);
    // Its last event is known a little before its files are let go.
    await this.#carried.get(jobId)?.done;
    try {
      await this.#options.engine.remove(this.#engineId(record));
      await this.#options.store.delete(jobId);
    } catch (error) {
      throw notDeleted(jobId, error);
    }
    this.#lost.delete(jobId);
    this.#told.delete(jobId);
    this.#options.hub.deleted(jobId);
  }

  /** A job whose record cannot be read can be deleted whatever its state was; what runs of it is told to stop. */
  async #deletable(jobId: string): Promise<Pick<JobRecord, "job" | "fingerprint">> {
    try {
      const record = await this.get(jobId);
      if (!isTerminal(record.job.state)) throw notFinished(record.job);
      return record;
    } catch (error) {
      if (!isDataLoss(error)) throw error;
      const remains = await this.#options.store.remains(jobId);
      if (!remains) throw jobNotFound(jobId);
      if (!isTerminal(remains.job.state)) await this.#options.engine.stop(this.#engineId(remains));
      return remains;
    }
  }

  /** Stops to carry jobs. Their processes go on, and the next service with them. */
  async close(): Promise<void> {
    clearInterval(this.#sweeper);
    this.#closing.abort(shuttingDown());
    await Promise.all(this.#work);
    await this.#options.engine.close();
  }

  /** @param fresh the job was just submitted, and its snapshot is claimed */
  #carry(record: JobRecord, bytes: number, start: JobStart | undefined, fresh: boolean): void {
    const { store, hub, maxEvents, snapshots } = this.#options;
    const { files } = record.given; // forgotten when the job ends
    if (files !== undefined && !fresh) snapshots?.claim(files);
    const log = new JobLog(record, { store, hub, maxEvents });
    const carried: Carried = { log, bytes, fresh, starting: new AbortController(), done: Promise.resolve() };
    this.#carried.set(record.job.jobId, carried);
    carried.done = this.#track(
      this.#carryToEnd(carried, start).finally(() => {
        if (files !== undefined && isTerminal(log.job.state)) snapshots?.release(files);
      }),
    );
  }

  #engineId({ job, fingerprint }: Pick<JobRecord, "job" | "fingerprint">): string {
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
    const closing = this.#closing.signal;
    let trouble: string | undefined;
    while (!closing.aborted) {
      const over = () => trouble && this.#troubles.over(trouble, jobId, "jobs that were tried again go on");
      const calm = setTimeout(over, calmMs).unref();
      try {
        await this.#carryOnce(carried, start);
        this.#carried.delete(jobId);
        over();
        return;
      } catch (error) {
        if (closing.aborted) return;
        if (isDataLoss(error)) return this.#lose(jobId, error);
        this.#options.storage?.failed(error);
        clearTimeout(calm);
        const kind = kindOf(error);
        if (kind !== trouble) over();
        trouble = kind;
        this.#troubles.met(kind, jobId, "error", "a job could not be carried on and is tried again", {
          job: jobId,
          error,
        });
        await delay(retryMs, undefined, { signal: closing }).catch(() => {});
        // What the store has is what happened.
        await carried.log.reload().catch(() => {}); // of a store that fails the next try says so
      } finally {
        clearTimeout(calm);
      }
    }
  }

  /** Its process goes on: what that says stands in the job's directory, for the service that follows a repair. */
  #lose(jobId: string, error: PluginRunnerError): void {
    this.#options.log("error", "the record of a job cannot be written any more; it is carried on after a repair", {
      job: jobId,
      what: error.message,
      do: repairHint,
    });
    this.#lost.set(jobId, error);
    this.#carried.delete(jobId);
  }

  async #carryOnce({ log, fresh, starting }: Carried, start: JobStart | undefined): Promise<void> {
    const { engine, maxResultBytes } = this.#options;
    const id = this.#engineId(log.record);
    await engine.own?.(id, markOf(log.record), fresh);
    if (log.job.state === JobState.PENDING) {
      const failed = await this.#start(log, start, AbortSignal.any([starting.signal, this.#closing.signal]));
      if (failed) return log.append([errorEvent(log, failed)]);
    }
    if (log.cancelling) await engine.stop(id);
    const chunks = engine.follow(id, log.record.position, this.#closing.signal);
    await followEvents(log, chunks, {
      maxResultBytes,
      explain: async () => engine.explain?.(id),
      tidy: () => this.#tidy(id),
    });
  }

  /** A job ends whatever its files are like. */
  async #tidy(id: string): Promise<void> {
    try {
      await this.#options.engine.tidy?.(id);
    } catch (error) {
      this.#options.log("warn", "what a job left could not be removed: it goes with the job", { job: id, error });
    }
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
    const starting: Starting = {
      report,
      line: lines.add,
      given: () => this.given(log.job.jobId),
      settle: (seen, given) => log.settle(seen, given),
    };
    const id = this.#engineId(log.record);
    try {
      const load = async () => {
        const { record } = log;
        const loaded = start ?? (await this.#options.restore(record, starting, signal));
        return { ...loaded, record: markOf(record), buildLine: lines.add };
      };
      await this.#options.engine.start(id, load, report, signal);
      return undefined;
    } catch (error) {
      this.#closing.signal.throwIfAborted();
      // It starts once there is room.
      if (isOfStorage(error)) throw error;
      if (!(await this.#options.engine.giveUp(id))) return undefined;
      if (!(error instanceof PluginRunnerError)) {
        this.#options.log("error", "a job could not be started", { job: log.job.jobId, error });
      }
      return PluginRunnerError.from(error);
    } finally {
      lines.end();
    }
  }

  #sweep(): void {
    this.#track(
      this.#removeExpired().then(
        () => this.#troubles.over("removal", "", "old jobs can be removed again"),
        (error: unknown) => this.#troubles.met("removal", "", "error", "old jobs could not be removed", { error }),
      ),
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
          this.#troubles.over("removal of one", jobId, "old jobs can be removed again");
        } catch (error) {
          this.#troubles.met("removal of one", jobId, "error", "an old job could not be removed", {
            job: jobId,
            error,
          });
        }
      }
    } while (removed > 0);
  }
}

/** Stands for the record of a job: one that is submitted later under the same id has another. */
function markOf({ job, fingerprint }: JobRecord): string {
  return `${fingerprint} ${job.createTime ? timestampMs(job.createTime) : 0}`;
}

/** Whether the disk is at fault, and nothing that an action or its plugin did. */
function isOfStorage(error: unknown): boolean {
  if (error instanceof PluginRunnerError) return error.reason === "STORAGE_UNAVAILABLE";
  return storageCodeOf(error) !== undefined;
}

/** What has the same cause, whichever job meets it. */
function kindOf(error: unknown): string {
  const code = storageCodeOf(error) ?? (error instanceof Error && "code" in error ? String(error.code) : undefined);
  return code ?? (error instanceof Error ? error.message : String(error));
}

function overloaded(limit: string, value: number, waiting: string): PluginRunnerError {
  return new PluginRunnerError("OVERLOADED", `${waiting} wait already; try again later.`, {
    metadata: { limit, value: String(value) },
    retryAfterMs: 5000,
  });
}

/** Of its files some may be gone: another try removes the rest. */
function notDeleted(jobId: string, error: unknown): unknown {
  const code = storageCodeOf(error);
  if (code === undefined) return error;
  const message = `Job ${jobId} could not be deleted: the disk of the service's data ${diskFault(code)}. Try again later.`;
  return storageUnavailable(code, message, { metadata: { job_id: jobId }, cause: error });
}

function notFinished(job: Job): PluginRunnerError {
  const state = stateName(job.state);
  return new PluginRunnerError("JOB_NOT_FINISHED", `Job ${job.jobId} is ${state}: cancel it, or wait for its end.`, {
    metadata: { job_id: job.jobId, state },
  });
}
