import type { JsonValue } from "@bufbuild/protobuf";
import type { JobEvent } from "../../gen/ts/pluginrunner/v1/job_event_pb.ts";
import type { Job } from "../../gen/ts/pluginrunner/v1/job_pb.ts";
import { isTerminal } from "../job/job-state.ts";
import { fromJobError, type RunnerError } from "./client-errors.ts";
import { resultOf } from "./client-numbers.ts";
import { cut, type WatchState } from "./client-resume.ts";
import { withStackOfCaller } from "./client-retry.ts";
import type { JobUpdate } from "./client-watch.ts";

/** How a watch of a job starts and ends. */
export interface WatchOptions {
  /** The sequence of the last event that the caller has; default 0, for none. */
  afterSequence?: bigint | number | undefined;
  /** Ends the watch; the job goes on. */
  signal?: AbortSignal | undefined;
  /** Told when the stream was cut, before it is opened again. */
  onRetry?: ((error: RunnerError) => void) | undefined;
  /**
   * Told how the watch stands: `connecting` until all that there was has come, `live` from then on, also where there was
   * nothing, `reconnecting` while the server is lost.
   */
  onState?: ((state: WatchState) => void) | undefined;
}

/** What a handle needs of the client that made it. */
export interface JobCalls {
  watchJob(jobId: string, options?: WatchOptions): AsyncIterable<JobUpdate>;
  getJob(jobId: string, signal?: AbortSignal): Promise<Job>;
  cancelJob(jobId: string, signal?: AbortSignal): Promise<Job>;
}

/** A job that was submitted. It goes on whatever becomes of this object. */
export class JobHandle {
  readonly id: string;
  /** The job as it was when it was submitted. */
  readonly snapshot: Job;
  readonly #client: JobCalls;

  constructor(client: JobCalls, snapshot: Job) {
    this.#client = client;
    this.snapshot = snapshot;
    this.id = snapshot.jobId;
  }

  /** Every event of the job, from the first to the last; live once it has caught up. */
  async *events(signal?: AbortSignal): AsyncGenerator<JobEvent, void, undefined> {
    for await (const { event } of this.#client.watchJob(this.id, { signal })) {
      if (event) yield event;
    }
  }

  /**
   * Waits for the job to end and resolves with its result, or throws the error that ended it. Aborting the signal ends
   * the wait, not the job.
   */
  async result(signal?: AbortSignal): Promise<JsonValue> {
    const job = await this.#client.getJob(this.id, signal);
    const { error, result, state, lastSequence } = job;
    if (error) throw withStackOfCaller(fromJobError(this.id, error));
    if (result) return resultOf(job);
    // The record of a large job leaves the result out; the last event has it.
    const afterSequence = isTerminal(state) ? lastSequence - 1n : lastSequence;
    for await (const { event } of this.#client.watchJob(this.id, { afterSequence, signal })) {
      if (event?.payload.case === "result") return resultOf(event.payload.value);
      if (event?.payload.case === "error") throw withStackOfCaller(fromJobError(this.id, event.payload.value));
    }
    throw cut("The watch ended before the job did.");
  }

  /** Tells the job to stop, and resolves with the job as it is then. */
  cancel(signal?: AbortSignal): Promise<Job> {
    return this.#client.cancelJob(this.id, signal);
  }
}
