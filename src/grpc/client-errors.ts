import { durationMs } from "@bufbuild/protobuf/wkt";
import { Code } from "../../gen/ts/google/rpc/code_pb.ts";
import {
  BadRequestSchema,
  DebugInfoSchema,
  ErrorInfoSchema,
  RetryInfoSchema,
} from "../../gen/ts/google/rpc/error_details_pb.ts";
import type { Status } from "../../gen/ts/google/rpc/status_pb.ts";
import type { JobError } from "../../gen/ts/pluginrunner/v1/job_pb.ts";
import type { Reason, Violation } from "../errors.ts";
import { errorDomain, findDetail } from "./status.ts";

/** What went wrong: a reason of the service, UNAVAILABLE where no service answered, or one that is newer than this client. */
export type RunnerReason = Reason | "UNAVAILABLE" | (string & {});

/** What an error of the client carries beside its message. */
export interface RunnerErrorInit {
  reason: RunnerReason;
  message: string;
  code: number;
  metadata?: Readonly<Record<string, string>>;
  violations?: readonly Violation[];
  exceptionType?: string;
  pluginStack?: string;
  retryAfterMs?: number | undefined;
  cause?: unknown;
}

/** Every error of the client is an ActionNotFoundError, a ValidationError or an ExecutionError. */
export abstract class RunnerError extends Error {
  /** The stable word for what went wrong, as docs/errors.md lists them; UNAVAILABLE where no service answered. */
  readonly reason: RunnerReason;
  /** The gRPC status code, as a number; UNKNOWN for what went wrong inside a job. */
  readonly code: number;
  /** Every variable of the message. */
  readonly metadata: Readonly<Record<string, string>>;
  /** Every fault of the params or of the request. */
  readonly violations: readonly Violation[];
  /** The type of the exception that the action raised; empty for other reasons. */
  readonly exceptionType: string;
  /** The plugin's own stack; empty when the action raised nothing. */
  readonly pluginStack: string;
  /** When a retry may succeed, in milliseconds from now; undefined when the service does not say. */
  readonly retryAfterMs: number | undefined;

  constructor(init: RunnerErrorInit) {
    super(init.message, init.cause === undefined ? undefined : { cause: init.cause });
    this.reason = init.reason;
    this.code = init.code;
    this.metadata = init.metadata ?? {};
    this.violations = init.violations ?? [];
    this.exceptionType = init.exceptionType ?? "";
    this.pluginStack = init.pluginStack ?? "";
    this.retryAfterMs = init.retryAfterMs;
  }
}

/** There is no such plugin, or it has no such action. Metadata names what there is. */
export class ActionNotFoundError extends RunnerError {
  override readonly name = "ActionNotFoundError";
}

/** The params do not satisfy the action's schema, or the request is malformed; `violations` has every fault. */
export class ValidationError extends RunnerError {
  override readonly name = "ValidationError";
}

/** Everything else: the action failed, was cancelled, could not be loaded, or the service could not be reached. */
export class ExecutionError extends RunnerError {
  override readonly name = "ExecutionError";
}

/** A call that failed, as a protocol reports it. */
export interface FailedCall {
  code: Code;
  message: string;
  /** The details of the status; undefined where there are none that can be read. */
  details: Status | undefined;
  /** What the protocol's library threw. */
  cause: unknown;
}

/** The error that a failed call means. `address` is named when nothing answered there. */
export function fromFailedCall(call: FailedCall, address: string): RunnerError {
  const { code, message, details, cause } = call;
  const info = details && findDetail(details, ErrorInfoSchema);
  if (!details || info?.domain !== errorDomain) return fromTransport(call, address);
  const { exception_type: exceptionType = "", ...metadata } = info.metadata;
  return runnerError({
    reason: info.reason,
    message,
    code,
    metadata,
    exceptionType,
    cause,
    ...furtherDetails(details),
  });
}

/** What was asked for cannot be sent. */
export function invalidRequest(
  reason: "PARAMS_INVALID" | "REQUEST_INVALID",
  field: string,
  fault: string,
): RunnerError {
  const violations = [{ field, description: fault, rule: "request" }];
  return new ValidationError({ reason, message: `${field} ${fault}.`, code: Code.INVALID_ARGUMENT, violations });
}

/** What went wrong in this client itself. */
export function localError(message: string, cause?: unknown): RunnerError {
  return new ExecutionError({ reason: "INTERNAL", message, code: Code.INTERNAL, cause });
}

/** The error that ended a job, of the same classes as those of a failed call. */
export function fromJobError(jobId: string, error: JobError): RunnerError {
  const { exception_type: _, ...metadata } = error.metadata;
  return runnerError({
    reason: error.reason,
    message: error.message,
    code: Code.UNKNOWN,
    metadata: { job_id: jobId, ...metadata },
    violations: error.violations.map(({ field, description, rule }) => ({ field, description, rule })),
    exceptionType: error.exceptionType,
    pluginStack: error.stack,
  });
}

/** What a status means that the service did not send: the connection, a proxy or this client's own library did. */
const transportReasons: Partial<Record<Code, RunnerReason>> = {
  [Code.UNAVAILABLE]: "UNAVAILABLE",
  [Code.CANCELLED]: "UNAVAILABLE",
  [Code.UNKNOWN]: "UNAVAILABLE",
  [Code.INTERNAL]: "UNAVAILABLE",
  [Code.DEADLINE_EXCEEDED]: "DEADLINE",
  [Code.UNAUTHENTICATED]: "UNAUTHENTICATED",
  [Code.PERMISSION_DENIED]: "FORBIDDEN",
};

function fromTransport({ code, message, cause }: FailedCall, address: string): RunnerError {
  const reason = transportReasons[code] ?? "INTERNAL";
  const what = reason === "UNAVAILABLE" ? "No answer from" : "The call failed at";
  return new ExecutionError({
    reason,
    message: `${what} ${address}: ${message}`,
    code,
    metadata: { address, status: codeNames.get(code) ?? String(code) },
    cause,
  });
}

const codeNames = new Map<number, string>(Object.entries(Code).map(([name, code]) => [code, name]));

const classes: Partial<Record<string, new (init: RunnerErrorInit) => RunnerError>> = {
  PLUGIN_NOT_FOUND: ActionNotFoundError,
  ACTION_NOT_FOUND: ActionNotFoundError,
  PARAMS_INVALID: ValidationError,
  REQUEST_INVALID: ValidationError,
};

function runnerError(init: RunnerErrorInit): RunnerError {
  return new (classes[init.reason] ?? ExecutionError)(init);
}

function furtherDetails(details: Status) {
  const badRequest = findDetail(details, BadRequestSchema);
  const retry = findDetail(details, RetryInfoSchema)?.retryDelay;
  return {
    violations: (badRequest?.fieldViolations ?? []).map(({ field, description, reason }) => ({
      field,
      description,
      rule: reason,
    })),
    pluginStack: findDetail(details, DebugInfoSchema)?.stackEntries.join("\n") ?? "",
    retryAfterMs: retry && durationMs(retry),
  };
}
