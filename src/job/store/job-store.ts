import type { JsonObject } from "@bufbuild/protobuf";
import type { Job, JobFilter } from "../../../gen/ts/pluginrunner/v1/job_pb.ts";
import type { Carried } from "../../util/non-finite.ts";

/** The part of a submission that only the action sees. */
export interface Given {
  params: Carried<JsonObject>;
  env: Record<string, string>;
  /** The name of the snapshot of the plugin that the job runs from; absent where it runs from the plugin itself. */
  files?: string;
  /** The digest of the environment that the job runs in; absent where it needs none. */
  environment?: string;
  /** Set while the action's code has not been asked for its verdict on the params. */
  unchecked?: Unchecked;
}

/** What is known of the params of a job whose code was not loaded before it was submitted. */
export interface Unchecked {
  /** Whether a schema outside of the code has validated them. */
  bySchema: boolean;
}

/** What the service keeps of a job: what clients see, and what it needs to carry it. */
export interface JobRecord {
  /** What clients see. */
  job: Job;
  /** What the action is given, as the request has it; it may be secret, and is forgotten when the job ends. */
  given: Given;
  /** Stands for the content of the submission: equal content, equal fingerprint. */
  fingerprint: string;
  /** How far the events file was read, in bytes. */
  position: number;
}

/** An event as it is kept: its encoding is what goes to watchers. */
export interface StoredEvent {
  sequence: bigint;
  /** An encoded `JobEvent`. */
  bytes: Uint8Array;
}

/** A page of a list: `cursor` leads to the next one, undefined at the end. */
export interface JobPage {
  jobs: Job[];
  cursor: number | undefined;
}

/** Keeps jobs and their events. Everything of one call is kept, or nothing of it. */
export interface JobStore {
  /** Adds a job; false when its id is taken. */
  insert(record: JobRecord): Promise<boolean>;

  get(jobId: string): Promise<JobRecord | undefined>;

  /** Appends events, and with them the job as they leave it and the position that they were read up to. */
  append(record: JobRecord, events: readonly StoredEvent[]): Promise<void>;

  /** Keeps what a job is given, and its params as clients see them, as they are by now. */
  settle(record: JobRecord): Promise<void>;

  /** The events after a sequence, in order: at most `limit`, and no more than about `maxBytes` of them. */
  events(jobId: string, after: bigint, limit: number, maxBytes: number): Promise<StoredEvent[]>;

  /** Removes the events before a sequence. */
  trim(record: JobRecord, before: bigint): Promise<void>;

  /** Jobs that match, newest first, without params and results: at most `limit`, and no more than about 1 MiB. */
  list(filter: JobFilter | undefined, limit: number, cursor: number | undefined): Promise<JobPage>;

  /** Jobs that have not ended, oldest first. */
  unfinished(): Promise<JobRecord[]>;

  /** The ids of all jobs. */
  ids(): Promise<Set<string>>;

  /** The ids of jobs that ended before a time, in milliseconds since 1970. */
  endedBefore(time: number, limit: number): Promise<string[]>;

  delete(jobId: string): Promise<void>;

  close(): Promise<void>;
}
