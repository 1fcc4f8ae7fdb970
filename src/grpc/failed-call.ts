import { durationMs } from "@bufbuild/protobuf/wkt";
import type { Code } from "../../gen/ts/google/rpc/code_pb.ts";
import {
  BadRequestSchema,
  DebugInfoSchema,
  ErrorInfoSchema,
  RetryInfoSchema,
} from "../../gen/ts/google/rpc/error_details_pb.ts";
import type { Status } from "../../gen/ts/google/rpc/status_pb.ts";
import { JobErrorSchema } from "../../gen/ts/pluginrunner/v1/job_pb.ts";
import { type RunnerError, runnerError } from "./client-errors.ts";
import { partialResultOf } from "./client-numbers.ts";
import { errorDomain, findDetail } from "./status.ts";
import { fromTransport } from "./transport-error.ts";

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
  const { code, message, details } = call;
  const info = details && findDetail(details, ErrorInfoSchema);
  if (!details || info?.domain !== errorDomain) return fromTransport(call, address);
  const { exception_type: exceptionType = "", ...metadata } = info.metadata;
  return runnerError({
    reason: info.reason,
    message,
    code,
    metadata,
    exceptionType,
    ...furtherDetails(details),
  });
}

function furtherDetails(details: Status) {
  const badRequest = findDetail(details, BadRequestSchema);
  const retry = findDetail(details, RetryInfoSchema)?.retryDelay;
  const jobError = findDetail(details, JobErrorSchema);
  return {
    violations: (badRequest?.fieldViolations ?? []).map(({ field, description, reason }) => ({
      field,
      description,
      rule: reason,
    })),
    pluginStack: findDetail(details, DebugInfoSchema)?.stackEntries.join("\n") ?? "",
    retryAfterMs: retry && durationMs(retry),
    partialResult: jobError && partialResultOf(jobError),
  };
}
