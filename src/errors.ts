import type { JsonValue } from "@bufbuild/protobuf";
import { isObject } from "./util/is-object.ts";
import { maxMessageLevels } from "./util/json.ts";
import { type Carried, usablePointers } from "./util/non-finite.ts";
import { isPlainJson } from "./util/plain-json.ts";
import { wellFormed } from "./util/shown-text.ts";

/** Every way in which this service says no, as documented in docs/errors.md. Reasons are added, never renamed. */
export const reasons = [
  "PLUGIN_NOT_FOUND",
  "ACTION_NOT_FOUND",
  "PARAMS_INVALID",
  "REQUEST_INVALID",
  "PLUGIN_INVALID",
  "PLUGIN_CHANGED",
  "ACTION_FAILED",
  "WORKER_LOST",
  "RESULT_INVALID",
  "PATH_FORBIDDEN",
  "MODULE_FORBIDDEN",
  "OVERLOADED",
  "ENGINE_UNAVAILABLE",
  "STORAGE_UNAVAILABLE",
  "RUN_NOT_FOUND",
  "JOB_NOT_FOUND",
  "JOB_ID_CONFLICT",
  "JOB_NOT_FINISHED",
  "EVENTS_EXPIRED",
  "DATA_LOSS",
  "UNAUTHENTICATED",
  "FORBIDDEN",
  "DEADLINE",
  "CANCELLED",
  "INTERNAL",
] as const;

export type Reason = (typeof reasons)[number];

/** One fault of one value: `field` is a JSON pointer, `rule` a JSON Schema keyword or the code's own word. */
export interface Violation {
  field: string;
  description: string;
  rule: string;
}

/** What an error carries beside its reason and message. */
export interface ErrorDetails {
  /** Every variable of the message, and what else a program may want to know. */
  metadata?: Readonly<Record<string, string>>;
  violations?: readonly Violation[];
  /** The type of the exception that the action raised. */
  exceptionType?: string;
  /** The plugin's own stack, as its language prints it; never this service's. */
  pluginStack?: string;
  /** When a retry may succeed, in milliseconds from now. */
  retryAfterMs?: number;
  /** What can be carried of a result that as a whole cannot. */
  partialResult?: Carried | undefined;
  cause?: unknown;
}

/** The one error of this service. Its message is short, says what to do, and is safe to show to the caller. */
export class PluginRunnerError extends Error {
  override readonly name = "PluginRunnerError";
  readonly reason: Reason;
  readonly metadata: Readonly<Record<string, string>>;
  readonly violations: readonly Violation[];
  readonly exceptionType: string;
  readonly pluginStack: string;
  readonly retryAfterMs: number | undefined;
  readonly partialResult: Carried | undefined;

  constructor(reason: Reason, message: string, details: ErrorDetails = {}) {
    super(message, details.cause === undefined ? undefined : { cause: details.cause });
    this.reason = reason;
    this.metadata = details.metadata ?? {};
    this.violations = details.violations ?? [];
    this.exceptionType = details.exceptionType ?? "";
    this.pluginStack = details.pluginStack ?? "";
    this.retryAfterMs = details.retryAfterMs;
    this.partialResult = details.partialResult;
  }

  /** Returns `thrown` when it is of this class, and else an INTERNAL error with neutral text and `thrown` as cause. */
  static from(thrown: unknown): PluginRunnerError {
    if (thrown instanceof PluginRunnerError) return thrown;
    return new PluginRunnerError("INTERNAL", "The service failed; its log has the cause.", { cause: thrown });
  }
}

/** An error as workers and job processes write it: see docs/protocol.md. */
export interface ErrorRecord {
  reason: string;
  message: string;
  metadata?: Record<string, string>;
  violations?: Violation[];
  exception_type?: string;
  stack?: string;
  partial_result?: JsonValue;
  non_finite?: readonly string[];
}

/** The longest parts of an error, in characters. */
const maxTextLength = 16 * 1024;
const maxViolations = 100;

/** What a plugin's process wrote as an error, whatever that is: what is no text becomes empty, and what is long is cut. */
export function readErrorRecord(value: unknown): ErrorRecord {
  const record = isObject(value) ? value : {};
  const metadata = isObject(record.metadata) ? record.metadata : {};
  return {
    reason: text(record.reason),
    message: text(record.message),
    metadata: Object.fromEntries(Object.entries(metadata).map(([key, one]) => [key, text(one)])),
    violations: readViolations(record.violations),
    exception_type: text(record.exception_type),
    stack: text(record.stack),
    ...partialOf(record),
  };
}

/** A partial result is passed on whole or not at all. */
function partialOf({ partial_result: value, non_finite: pointers }: Record<string, unknown>) {
  if (value === undefined || !isPlainJson(value, maxMessageLevels)) return {};
  const nonFinite = usablePointers(value, pointers);
  return { partial_result: value, ...(nonFinite.length > 0 && { non_finite: nonFinite }) };
}

/** What a plugin's process wrote as a list of faults or warnings, whatever that is. */
export function readViolations(value: unknown): Violation[] {
  return Array.isArray(value) ? value.slice(0, maxViolations).map(readViolation) : [];
}

function readViolation(value: unknown): Violation {
  const { field, description, rule } = isObject(value) ? value : {};
  return { field: text(field), description: text(description), rule: text(rule) };
}

/** Keeps both ends: a stack says most there. */
function text(value: unknown): string {
  if (typeof value !== "string") return "";
  const whole = wellFormed(value);
  if (whole.length <= maxTextLength) return whole;
  const half = maxTextLength / 2;
  return `${whole.slice(0, half)}… [+${whole.length - maxTextLength} characters] …${whole.slice(-half)}`.toWellFormed();
}

/** Turns what a worker wrote into the error that it means. */
export function fromErrorRecord(record: ErrorRecord): PluginRunnerError {
  const reason = isReason(record.reason) ? record.reason : "INTERNAL";
  return new PluginRunnerError(reason, record.message, {
    metadata: record.metadata ?? {},
    violations: record.violations ?? [],
    exceptionType: record.exception_type ?? "",
    pluginStack: record.stack ?? "",
    ...(record.partial_result !== undefined && {
      partialResult: { value: record.partial_result, nonFinite: record.non_finite ?? [] },
    }),
  });
}

/** The opposite of `fromErrorRecord`. */
export function toErrorRecord(error: PluginRunnerError): ErrorRecord {
  return {
    reason: error.reason,
    message: error.message,
    metadata: { ...error.metadata },
    violations: [...error.violations],
    exception_type: error.exceptionType,
    stack: error.pluginStack,
    ...(error.partialResult && { partial_result: error.partialResult.value }),
    ...(error.partialResult?.nonFinite.length && { non_finite: error.partialResult.nonFinite }),
  };
}

/** A REQUEST_INVALID with one violation: the request's field, as a JSON pointer, and what is wrong with it. */
export function requestInvalid(field: string, description: string, metadata?: Record<string, string>) {
  return new PluginRunnerError("REQUEST_INVALID", `${field.slice(1).replaceAll("/", ".")}: ${description}`, {
    violations: [{ field, description, rule: "request" }],
    metadata: { field: field.slice(1), ...metadata },
  });
}

/** What is asked of a service that ends, of work that has not started. */
export function shuttingDown(): PluginRunnerError {
  return new PluginRunnerError("ENGINE_UNAVAILABLE", "The server is shutting down.", { retryAfterMs: 1000 });
}

/** What a run says that had begun when its service ended: it may have done all that it does. */
export function endedWithServer(): PluginRunnerError {
  return new PluginRunnerError("WORKER_LOST", "The server ended before the run did.", {
    metadata: { started: "true" },
  });
}

function isReason(word: string): word is Reason {
  return (reasons as readonly string[]).includes(word);
}
