import { create, type DescMessage, fromJson, type MessageInitShape, toBinary } from "@bufbuild/protobuf";
import { type Any, anyPack, anyUnpack, durationFromMs, ValueSchema } from "@bufbuild/protobuf/wkt";
import { Code } from "../../gen/ts/google/rpc/code_pb.ts";
import {
  BadRequestSchema,
  DebugInfoSchema,
  ErrorInfoSchema,
  RetryInfoSchema,
} from "../../gen/ts/google/rpc/error_details_pb.ts";
import { type Status, StatusSchema } from "../../gen/ts/google/rpc/status_pb.ts";
import { JobErrorSchema } from "../../gen/ts/pluginrunner/v1/job_pb.ts";
import { PluginRunnerError, type Reason, type Violation } from "../errors.ts";
import { wellFormed } from "../util/shown-text.ts";

/** `domain` of every `google.rpc.ErrorInfo` of this service. */
export const errorDomain = "pluginrunner.v1.PluginRunner";

const codes: Record<Reason, Code> = {
  PLUGIN_NOT_FOUND: Code.NOT_FOUND,
  ACTION_NOT_FOUND: Code.NOT_FOUND,
  PARAMS_INVALID: Code.INVALID_ARGUMENT,
  REQUEST_INVALID: Code.INVALID_ARGUMENT,
  PLUGIN_INVALID: Code.FAILED_PRECONDITION,
  PLUGIN_CHANGED: Code.FAILED_PRECONDITION,
  ACTION_FAILED: Code.UNKNOWN,
  WORKER_LOST: Code.ABORTED,
  RESULT_INVALID: Code.UNKNOWN,
  PATH_FORBIDDEN: Code.PERMISSION_DENIED,
  MODULE_FORBIDDEN: Code.PERMISSION_DENIED,
  OVERLOADED: Code.RESOURCE_EXHAUSTED,
  ENGINE_UNAVAILABLE: Code.UNAVAILABLE,
  STORAGE_UNAVAILABLE: Code.UNAVAILABLE,
  RUN_NOT_FOUND: Code.NOT_FOUND,
  JOB_NOT_FOUND: Code.NOT_FOUND,
  JOB_ID_CONFLICT: Code.ALREADY_EXISTS,
  JOB_NOT_FINISHED: Code.FAILED_PRECONDITION,
  EVENTS_EXPIRED: Code.OUT_OF_RANGE,
  DATA_LOSS: Code.DATA_LOSS,
  UNAUTHENTICATED: Code.UNAUTHENTICATED,
  FORBIDDEN: Code.PERMISSION_DENIED,
  DEADLINE: Code.DEADLINE_EXCEEDED,
  CANCELLED: Code.CANCELLED,
  INTERNAL: Code.INTERNAL,
};

/**
 * Message and details travel in gRPC's headers, the one escaped, the others in base64. Beyond 8 KB in all, clients in
 * C++, Python and others see another status instead; far beyond 16 KB grpc-js leaves the client without any answer.
 */
const maxDetailsBytes = 4.5 * 1024;
const maxMessageLength = 1024;
const tooLarge = "too large to send";
const maxValueLength = 1024;

/**
 * The status of an error, with its details. Gives up, in this order, what would not fit into headers: what there is of a
 * result, the plugin's stack, then violations from the last, then long metadata.
 */
export function toStatus(error: PluginRunnerError): Status {
  const init = { code: codes[error.reason], message: cut(error.message, maxMessageLength) };
  for (const [partial, stack, violations, value] of [
    [true, 4096, 50, maxValueLength],
    [false, 4096, 50, maxValueLength],
    [false, 1024, 20, 512],
    [false, 0, 5, 128],
    [false, 0, 0, 0],
  ] as const) {
    const status = create(StatusSchema, { ...init, details: details(error, partial, stack, violations, value) });
    if (toBinary(StatusSchema, status).length <= maxDetailsBytes) return status;
  }
  return create(StatusSchema, init);
}

/** The same error without what there is of its result, where that is far too large for headers: answers are kept for a while. */
export function withoutLargeResult(error: PluginRunnerError): PluginRunnerError {
  const { partialResult, reason, message, metadata, violations, exceptionType, pluginStack, cause } = error;
  if (!partialResult || JSON.stringify(partialResult.value).length <= maxDetailsBytes) return error;
  const told = { ...metadata, partial_result: tooLarge };
  return new PluginRunnerError(reason, message, { metadata: told, violations, exceptionType, pluginStack, cause });
}

/** The first detail of one type. */
export function findDetail<Desc extends DescMessage>(details: Status, desc: Desc) {
  for (const any of details.details) {
    const message = anyUnpack(any, desc);
    if (message) return message;
  }
  return undefined;
}

function details(
  error: PluginRunnerError,
  partial: boolean,
  stackLength: number,
  violations: number,
  valueLength: number,
): Any[] {
  const metadata: Record<string, string> = {};
  if (valueLength > 0) {
    for (const [key, value] of Object.entries(error.metadata)) {
      metadata[key] = key === "fields" ? cutList(value, valueLength) : cut(value, valueLength);
    }
    if (error.partialResult && !partial) metadata.partial_result = tooLarge;
    if (error.exceptionType) metadata.exception_type = cut(error.exceptionType, valueLength);
  }
  const found = [pack(ErrorInfoSchema, { reason: error.reason, domain: errorDomain, metadata })];
  const faults = error.violations.length > 0 ? error.violations : fileFault(error);
  if (faults.length > 0 && violations > 0) {
    found.push(
      pack(BadRequestSchema, {
        fieldViolations: faults.slice(0, violations).map((violation) => ({
          field: cut(violation.field, 256),
          description: cut(violation.description, 256),
          reason: violation.rule,
        })),
      }),
    );
  }
  if (error.pluginStack && stackLength > 0) {
    found.push(
      pack(DebugInfoSchema, {
        stackEntries: keepEnd(error.pluginStack, stackLength).split("\n"),
        detail: cut(error.message, 256),
      }),
    );
  }
  if (error.partialResult && partial) {
    const { value, nonFinite } = error.partialResult;
    const partialResult = fromJson(ValueSchema, value);
    found.push(pack(JobErrorSchema, { reason: error.reason, partialResult, nonFinite: [...nonFinite] }));
  }
  if (error.retryAfterMs !== undefined) {
    found.push(pack(RetryInfoSchema, { retryDelay: durationFromMs(error.retryAfterMs) }));
  }
  return found;
}

/** Where a plugin cannot be loaded: its file stands in for a field. */
function fileFault({ reason, message, metadata }: PluginRunnerError): Violation[] {
  const { file, line = "0", column = "0" } = metadata;
  if (reason !== "PLUGIN_INVALID" || file === undefined) return [];
  const where = line === "0" ? "" : `line ${line}, column ${column}: `;
  return [{ field: file, description: `${where}${message}`, rule: "load" }];
}

function pack<Desc extends DescMessage>(desc: Desc, init: MessageInitShape<Desc>): Any {
  return anyPack(desc, create(desc, init));
}

/** Half a surrogate pair cannot be encoded: one of the text itself is shown, one that the cut leaves is not. */
function cut(given: string, length: number): string {
  const text = wellFormed(given);
  return text.length <= length ? text : `${text.slice(0, length - 1).toWellFormed()}…`;
}

/** The text of a JSON list stays one: it loses its last items instead. */
function cutList(text: string, length: number): string {
  if (text.length <= length || !text.startsWith("[")) return cut(text, length);
  let kept = readList(text);
  while (kept.length > 0 && JSON.stringify(kept).length > length) kept = kept.slice(0, -1);
  return JSON.stringify(kept);
}

function readList(text: string): unknown[] {
  try {
    const items: unknown = JSON.parse(text);
    return Array.isArray(items) ? items : [];
  } catch {
    return []; // a plugin's own text
  }
}

/** The innermost call stands last in Python's stacks and first in JavaScript's; the ends say most, so keep both. */
function keepEnd(given: string, length: number): string {
  const text = wellFormed(given);
  if (text.length <= length) return text;
  const half = Math.floor(length / 2);
  return `${text.slice(0, half)}\n…\n${text.slice(-half)}`.toWellFormed();
}
