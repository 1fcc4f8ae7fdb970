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

/** A job that has not ended, as far as its record can be read. */
export interface UnfinishedJob {
  /** Without params and variables, which may be large and are read when the job starts. */
  record: JobRecord;
  /** How much these are. */
  bytes: number;
  /** What of it cannot be read any more. Empty: all can. */
  lost: string;
  /** Whether the job can be told to the end: all can be read but for what is only needed to start it, and to show it. */
  known: boolean;
}

/** Something that should be kept and cannot be read any more. */
export interface StoreFault {
  /** Empty where it is of no one job. */
  jobId: string;
  what: string;
}

/**
 * Keeps jobs and their events. Everything of one call is kept, or nothing of it. What is asked of a job whose record cannot
 * be read rejects with DATA_LOSS; the others are unharmed.
 */
export interface JobStore {
  /** Adds a job. The bytes of what it was given; undefined when its id is taken. */
  insert(record: JobRecord): Promise<number | undefined>;

  get(jobId: string): Promise<JobRecord | undefined>;

  /** Appends events, and with them the job as they leave it and the position that they were read up to. */
  append(record: JobRecord, events: readonly StoredEvent[]): Promise<void>;

  /** Keeps what a job is given, and its params as clients see them, as they are by now. */
  settle(record: JobRecord): Promise<void>;

  /** The id and fingerprint of a job, whatever else of it can be read; undefined where there is no such job. */
  remains(jobId: string): Promise<{ fingerprint: string; job: Job } | undefined>;

  /**
   * The events after a sequence, in order: at most `limit`, and no more than about `maxBytes` of them. It ends before one
   * that cannot be read.
   */
  events(jobId: string, after: bigint, limit: number, maxBytes: number): Promise<StoredEvent[]>;

  /** Which events of a range cannot be read or are not there, at most about 20 ranges: "5-9,12". Empty: none. */
  missing(jobId: string, first: bigint, last: bigint): Promise<{ ranges: string; next: bigint | undefined }>;

  /** Removes the events before a sequence. */
  trim(record: JobRecord, before: bigint): Promise<void>;

  /**
   * Jobs that match, newest first, without params and results: at most `limit`, and no more than about 1 MiB. One whose record
   * cannot be read has what is known of it, and an error of reason DATA_LOSS.
   */
  list(filter: JobFilter | undefined, limit: number, cursor: number | undefined): Promise<JobPage>;

  /** Jobs that have not ended, oldest first. */
  unfinished(): Promise<UnfinishedJob[]>;

  /** Has a job that has not ended, and whose record cannot be read, be a FAILED one. */
  fail(jobId: string): Promise<void>;

  /** Looks at everything that is kept, a small part with each step. */
  examine(): Generator<StoreFault[], void, undefined>;

  /** The ids of all jobs; undefined where not all can be read. */
  ids(): Promise<Set<string> | undefined>;

  /** The ids of jobs that ended before a time, in milliseconds since 1970, for certain: a broken record may say otherwise. */
  endedBefore(time: number, limit: number): Promise<string[]>;

  delete(jobId: string): Promise<void>;

  close(): Promise<void>;
}
