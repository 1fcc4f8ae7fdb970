import { create, toBinary } from "@bufbuild/protobuf";
import { type Timestamp, TimestampSchema } from "@bufbuild/protobuf/wkt";
import { type JobEvent, JobEventSchema, JobStateChangeSchema } from "../../gen/ts/pluginrunner/v1/job_event_pb.ts";
import { type Job, JobState } from "../../gen/ts/pluginrunner/v1/job_pb.ts";
import { applyEvent } from "./apply-event.ts";
import { isTerminal, unfinishedStates } from "./job-state.ts";
import { nothingGiven, withoutParams } from "./job-summary.ts";
import type { Given, JobRecord, JobStore, StoredEvent } from "./store/job-store.ts";
import type { WatchHub } from "./watch-hub.ts";

/** An event that has no place in the log yet. */
export interface EventDraft {
  /** When it happened, in milliseconds since 1970. */
  timeMs: number;
  payload: JobEvent["payload"];
}

/** An oldest part of this share of the limit is removed at a time. */
const trimShare = 0.1;

/**
 * The log of one job that has not ended: the only place that appends to it. Appends are kept one after another, in the
 * order of the calls, and then shown to watchers; no state goes back to an earlier one, and after the terminal event nothing
 * is appended any more.
 */
export class JobLog {
  /** Without params and variables. */
  readonly record: JobRecord;
  readonly #store: JobStore;
  readonly #hub: WatchHub;
  readonly #maxEvents: number;
  #last: Promise<void> = Promise.resolve();
  #cancelled = false;

  constructor(record: JobRecord, options: { store: JobStore; hub: WatchHub; maxEvents: number }) {
    this.record = withoutParams(record);
    this.#store = options.store;
    this.#hub = options.hub;
    this.#maxEvents = options.maxEvents;
  }

  get job(): Job {
    return this.record.job;
  }

  get ended(): boolean {
    return isTerminal(this.job.state);
  }

  /** Whether the job was told to stop, also where that could not be kept yet. */
  get cancelling(): boolean {
    return this.#cancelled || this.job.state === JobState.CANCELLING;
  }

  /**
   * Appends that the job was told to stop. Where that cannot be kept now it comes before whatever is appended next: what
   * happens from this call on happens to a job that is being cancelled.
   */
  cancel(): Promise<void> {
    this.#cancelled = true;
    return this.append([]);
  }

  /** Appends events, together with the position in the events file that they were read up to. */
  append(drafts: readonly EventDraft[], position?: number): Promise<void> {
    const cancelled = this.#cancelled;
    return this.#enqueue(() => {
      const owed = cancelled && this.job.state !== JobState.CANCELLING ? [stateChange(JobState.CANCELLING, "")] : [];
      return this.#append([...owed, ...drafts], position ?? this.record.position);
    });
  }

  /** Replaces what the job was given, and what clients see of it. */
  settle(seen: Partial<Job>, given: Given): Promise<void> {
    return this.#enqueue(async () => {
      if (this.ended) return;
      const next = { ...this.record, job: { ...copyOf(this.job), ...seen }, given };
      await this.#store.settle(next);
      Object.assign(this.record, withoutParams(next));
    });
  }

  /** Goes on from what the store has, in its turn among the appends. Rejects when the store does. */
  reload(): Promise<void> {
    return this.#enqueue(async () => {
      const kept = await this.#store.get(this.job.jobId);
      if (kept) Object.assign(this.record, withoutParams(kept));
    });
  }

  /** Appends a change of state, unless it says nothing new. */
  change(state: JobState, detail: string): Promise<void> {
    return this.#enqueue(async () => {
      if (this.job.state === state && this.job.stateDetail === detail) return;
      await this.#append([stateChange(state, detail)], this.record.position);
    });
  }

  #enqueue(step: () => Promise<void>): Promise<void> {
    const done = this.#last.then(step);
    // A failure is the caller's to see; it must not fail the steps that follow.
    this.#last = done.catch(() => {});
    return done;
  }

  async #append(drafts: readonly EventDraft[], position: number): Promise<void> {
    if (this.ended || (drafts.length === 0 && position === this.record.position)) return;
    // A copy, so that what the store refuses has not happened here either.
    const job = copyOf(this.job);
    const stored: StoredEvent[] = [];
    for (const { timeMs, payload } of drafts) {
      if (payload.case === "stateChanged" && goesBack(payload.value.state, job.state)) continue;
      const event = create(JobEventSchema, {
        sequence: job.lastSequence + 1n,
        eventTime: toTimestamp(timeMs),
        payload,
      });
      applyEvent(job, event);
      stored.push({ sequence: event.sequence, bytes: toBinary(JobEventSchema, event) });
      if (isTerminal(job.state)) break;
    }
    if (job.oldestSequence === 0n && stored.length > 0) job.oldestSequence = 1n;
    const next = { ...this.record, job, position, ...(isTerminal(job.state) && { given: nothingGiven }) };
    await this.#store.append(next, stored);
    Object.assign(this.record, next);
    this.#hub.publish(job, stored);
    await this.#trim();
  }

  async #trim(): Promise<void> {
    const { job } = this.record;
    const kept = Number(job.lastSequence - job.oldestSequence) + 1;
    if (kept <= this.#maxEvents) return;
    const oldestSequence = job.lastSequence - BigInt(Math.floor(this.#maxEvents * (1 - trimShare)));
    await this.#store.trim({ ...this.record, job: { ...job, oldestSequence } }, oldestSequence);
    job.oldestSequence = oldestSequence;
  }
}

function stateChange(state: JobState, detail: string): EventDraft {
  const value = create(JobStateChangeSchema, { state, detail });
  return { timeMs: Date.now(), payload: { case: "stateChanged", value } };
}

/** Pending, running, cancelling: what was true when an event was drafted may be over at its turn. */
function goesBack(to: JobState, from: JobState): boolean {
  const order: readonly JobState[] = unfinishedStates;
  return order.indexOf(to) < order.indexOf(from);
}

/** As deep as `applyEvent` changes a job. */
function copyOf(job: Job): Job {
  return { ...job, progress: [...job.progress], metrics: [...job.metrics], artifacts: [...job.artifacts] };
}

/** Keeps microseconds, which `timestampFromMs` does not take. */
function toTimestamp(ms: number): Timestamp {
  const seconds = Math.floor(ms / 1000);
  const micros = Math.floor((ms - seconds * 1000) * 1000);
  return create(TimestampSchema, { seconds: BigInt(seconds), nanos: micros * 1000 });
}
