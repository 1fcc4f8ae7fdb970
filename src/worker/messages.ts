/**
 * The protocol between this service and the processes that run plugins, as docs/protocol.md explains it. Python's side of
 * it is `python/plugin_runner`, JavaScript's is `src/runtime`.
 */
import type { JsonObject, JsonValue } from "@bufbuild/protobuf";
import type { ErrorRecord, Violation } from "../errors.ts";

export const protocolVersion = 1;

export type Language = "python" | "javascript";

/**
 * JSON pointers to the texts "NaN", "Infinity" and "-Infinity" that stand for numbers in the value beside this. Absent when
 * there are none.
 */
export type NonFinite = readonly string[];

/** What code to load. */
export interface Binding {
  language: Language;
  code: string;
  root: string;
  /** Where the files of `root` were copied from, which people know; absent where they are those themselves. */
  origin?: string;
  module: string;
  digest: string;
  env: Record<string, string>;
  packages: string;
  /** What kind of plugin it is, for actions that were written for synapse-sdk. Default: none. */
  category?: string;
}

export interface BindMessage {
  type: "bind";
  binding: Binding;
  /** Where the directories of the runs stand. */
  work_dir: string;
  /** Where the artifacts of runs stay: each run appends `-ID`. Default: with the run. */
  artifacts_dir?: string;
  /** How long loading code may take; the worker says `within` then. Default: no limit. */
  load_timeout_seconds?: number;
}

export interface ScanRequest {
  type: "scan";
  root: string;
  module: string;
}

export interface DescribeRequest {
  type: "describe";
  /** Entry points by action name. Empty: whatever the code declares. */
  entrypoints: Record<string, string>;
  /** Laid over the binding's while the code is loaded, as for a run. Default: none. */
  env?: Record<string, string>;
}

export interface ValidateRequest {
  type: "validate";
  entrypoint: string;
  params: JsonObject;
  non_finite?: NonFinite;
  /** Laid over the binding's, as for a run. */
  env: Record<string, string>;
}

export interface RunRequest {
  type: "run";
  action: string;
  entrypoint: string;
  params: JsonObject;
  non_finite?: NonFinite;
  env: Record<string, string>;
  job_id: string;
  /** The most memory that a worker of Python may use meanwhile; one of JavaScript was started with it. */
  memory_mib?: number;
}

export interface CancelMessage {
  type: "cancel";
  id: number;
  /** How long the action has to end, before its process is killed. */
  grace_seconds: number;
}

/** What a worker answers; it is sent with an `id`, which the answer repeats. */
export type WorkerRequest = ScanRequest | DescribeRequest | ValidateRequest | RunRequest;

export type WorkerInput = BindMessage | CancelMessage | (WorkerRequest & { id: number });

export interface ReadyMessage {
  type: "ready";
  protocol: number;
  pid: number;
  runtime: string;
}

/**
 * `spent`: the action was interrupted, or code could not be loaded and never will be in this process: the worker ends
 * after this answer without looking at another request.
 */
export type WorkerAnswer = { id: number; spent?: boolean } & (
  | ({ ok: true } & WorkerResult)
  | { ok: false; error: ErrorRecord }
);

/** What a request came to. */
export interface WorkerResult {
  value: JsonValue;
  non_finite?: NonFinite;
  /** What the action does not use of the params. */
  warnings?: Violation[];
}

/**
 * A worker, or the child of a job, is about to load code: unless it says another word of this kind or of its end within
 * `seconds`, it is killed, and `error` is what it comes to. Without `error`: there is no limit any more.
 */
export interface WithinMessage {
  type: "within";
  seconds?: number;
  /** The entry point that is loaded, where it is one. */
  loads?: string;
  error?: ErrorRecord;
}

export type WorkerOutput = ReadyMessage | WithinMessage | WorkerAnswer;

/**
 * An action that was found without running anything. Without a name: a place that makes actions whose names only the
 * loaded code knows; `description` is then its file.
 */
export interface ScannedAction {
  name: string;
  description: string;
  entrypoint: string;
  line: number;
}

/** An action as its loaded code describes it, or why it cannot be loaded. */
export interface DescribedAction {
  name: string;
  description: string;
  entrypoint: string;
  params_schema: JsonObject | null;
  result_schema: JsonObject | null;
  error?: ErrorRecord;
  /** What its author should know. */
  issues?: ActionIssue[];
}

/** Something that does not stop an action from running. */
export interface ActionIssue {
  message: string;
  /** Relative to the plugin's root. */
  file: string;
  line: number;
}

/** `spec.json` of a job process. */
export interface JobSpec {
  protocol: number;
  job_id: string;
  binding: Binding;
  action: string;
  entrypoint: string;
  params: JsonObject;
  non_finite?: NonFinite;
  env: Record<string, string>;
  timeout_seconds: number | null;
  /** How long loading code may take; the child says `within` then. Default: no limit. */
  load_timeout_seconds?: number;
  grace_seconds: number;
  memory_mib: number | null;
  output_limit_bytes: number;
  /** How many of its events the service keeps. */
  max_events: number;
  line_limit_bytes: number;
  result_limit_bytes: number;
  work_dir: string;
  scope: string;
  /** Whether the supervisor repeats the plugin's output as its own. Default: false. */
  echo_output?: boolean;
  /** Variables that the process has to be started with, where that is not the service's to do. Default: none. */
  start_env?: Record<string, string>;
}

/** Who carries a job: `<dir>/started`. */
export interface ProcessIdentity {
  pid: number;
  /** Field 22 of `/proc/<pid>/stat`; empty where there is none. */
  start_time: string;
}

export type LogSourceName = "STDOUT" | "STDERR" | "LOGGER" | "SERVICE";

/** A line of `events.jsonl`. `time` is in seconds since 1970. */
export type EventRecord = { time: number } & (
  | { type: "started"; pid: number }
  | { type: "progress"; step: string; current: number; total: number; message: string }
  | { type: "metrics"; step: string; values: JsonObject; non_finite?: NonFinite }
  | {
      type: "log";
      source: LogSourceName;
      level: string;
      message: string;
      fields: JsonObject;
      non_finite?: NonFinite;
    }
  | {
      type: "artifact";
      name: string;
      uri: string;
      media_type: string;
      size_bytes: number;
      sha256: string;
      metadata: JsonObject;
      non_finite?: NonFinite;
    }
  | { type: "result"; value: JsonValue; non_finite?: NonFinite; stopped?: true }
  | { type: "error"; error: ErrorRecord; stopped?: true }
  | {
      type: "exit";
      code: number | null;
      signal: string | null;
      timed_out: boolean;
      /** "SERVICE", or the signal by which somebody else did. */
      stopped_by: string | null;
      stderr_tail: string;
    }
);
