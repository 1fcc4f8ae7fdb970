import { BinaryWriter, WireType } from "@bufbuild/protobuf/wire";
import { JobEventsSchema } from "../../gen/ts/pluginrunner/v1/job_event_pb.ts";
import type { Job } from "../../gen/ts/pluginrunner/v1/job_pb.ts";
import { WatchJobResponseSchema } from "../../gen/ts/pluginrunner/v1/plugin_runner_pb.ts";
import type { Bell } from "../util/bell.ts";
import { isTerminal } from "./job-state.ts";
import type { StoredEvent } from "./store/job-store.ts";

/** Events that were published together, encoded once for all watchers. */
export interface Batch {
  first: bigint;
  last: bigint;
  /** An encoded `WatchJobResponse` (and so `SubmitJobResponse`) with these events. */
  message: Buffer;
  /** Whether the last event is the job's last. */
  terminal: boolean;
}

/** What watchers that keep up are served from; others read from the store. */
const maxKeptBytes = 1024 * 1024;
const maxKeptBatches = 1024;
/** Far below the message size that clients take. */
const maxMessageBytes = 256 * 1024;

interface Channel {
  batches: Batch[];
  bytes: number;
  /** One of each watcher. */
  bells: Set<Bell>;
}

/** Told of a job that changed, with the job as it is now, or undefined for one that was deleted. */
export type JobListener = (jobId: string, job: Job | undefined) => void;

/**
 * Passes what is appended to job logs on to those who watch. Holds no watcher up and keeps a bounded tail of a job that
 * is watched: a watcher takes the batches at its own pace, and misses none by reading the store where the tail begins
 * too late for it.
 */
export class WatchHub {
  readonly #channels = new Map<string, Channel>();
  readonly #listeners = new Set<JobListener>();

  /** Shows events, which the store has by now. */
  publish(job: Job, events: readonly StoredEvent[]): void {
    if (events.length === 0) return;
    const channel = this.#channels.get(job.jobId);
    if (channel) {
      for (const batch of batchesOf(events, job)) {
        channel.batches.push(batch);
        channel.bytes += batch.message.length;
      }
      while (channel.batches.length > maxKeptBatches || channel.bytes > maxKeptBytes) {
        const dropped = channel.batches.shift();
        if (!dropped) break;
        channel.bytes -= dropped.message.length;
      }
      for (const bell of channel.bells) bell.ring();
    }
    for (const listener of this.#listeners) listener(job.jobId, job);
  }

  /** Shows that a job was added without events yet. */
  added(job: Job): void {
    for (const listener of this.#listeners) listener(job.jobId, job);
  }

  /** Shows that a job was deleted. */
  deleted(jobId: string): void {
    for (const listener of this.#listeners) listener(jobId, undefined);
  }

  /** Whether anybody watches a job's events. */
  isWatched(jobId: string): boolean {
    return this.#channels.has(jobId);
  }

  /** Calls back with every job that changes, until the returned function is called. */
  listen(listener: JobListener): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** Starts to keep the tail of a job's log, and rings when it grows; to be ended by `leave`. */
  join(jobId: string, bell: Bell): void {
    const channel = this.#channels.get(jobId);
    if (channel) channel.bells.add(bell);
    else this.#channels.set(jobId, { batches: [], bytes: 0, bells: new Set([bell]) });
  }

  leave(jobId: string, bell: Bell): void {
    const channel = this.#channels.get(jobId);
    channel?.bells.delete(bell);
    if (channel?.bells.size === 0) this.#channels.delete(jobId);
  }

  /** The batch that begins right after a sequence, when it is in the tail. */
  next(jobId: string, after: bigint): Batch | undefined {
    const batches = this.#channels.get(jobId)?.batches ?? [];
    // A watcher that keeps up wants the newest one.
    for (let at = batches.length - 1; at >= 0; at--) {
      const batch = batches[at];
      if (batch && batch.first <= after + 1n) return batch.first === after + 1n ? batch : undefined;
    }
    return undefined;
  }
}

function batchesOf(events: readonly StoredEvent[], job: Job): Batch[] {
  return pagesOf(events).map((page) => {
    const last = page.at(-1)?.sequence ?? 0n;
    const terminal = isTerminal(job.state) && last === job.lastSequence;
    return { first: last - BigInt(page.length - 1), last, message: encodeEvents(page), terminal };
  });
}

function pagesOf(events: readonly StoredEvent[]): StoredEvent[][] {
  const pages: StoredEvent[][] = [];
  let bytes = 0;
  for (const event of events) {
    bytes += event.bytes.length;
    const page = pages.at(-1);
    if (page && bytes <= maxMessageBytes) page.push(event);
    else {
      pages.push([event]);
      bytes = event.bytes.length;
    }
  }
  return pages;
}

/** Encodes events that are encoded already, without reading them again. */
export function encodeEvents(events: readonly StoredEvent[]): Buffer {
  const writer = new BinaryWriter();
  writer.tag(WatchJobResponseSchema.field.events.number, WireType.LengthDelimited).fork();
  for (const event of events) {
    writer.tag(JobEventsSchema.field.events.number, WireType.LengthDelimited).bytes(event.bytes);
  }
  const { buffer, byteOffset, byteLength } = writer.join().finish();
  return Buffer.from(buffer, byteOffset, byteLength);
}
