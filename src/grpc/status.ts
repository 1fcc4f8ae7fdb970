import { create, type DescMessage, fromBinary, type MessageInitShape, toBinary } from "@bufbuild/protobuf";
import { type Any, anyPack, anyUnpack, durationFromMs } from "@bufbuild/protobuf/wkt";
import { Metadata, status } from "@grpc/grpc-js";
import {
  BadRequestSchema,
  DebugInfoSchema,
  ErrorInfoSchema,
  RetryInfoSchema,
} from "../../gen/ts/google/rpc/error_details_pb.ts";
import { type Status, StatusSchema } from "../../gen/ts/google/rpc/status_pb.ts";
import type { PluginRunnerError, Reason, Violation } from "../errors.ts";

/** `domain` of every `google.rpc.ErrorInfo` of this service. */
export const errorDomain = "pluginrunner.v1.PluginRunner";

/** Where a status carries its details: https://grpc.io/docs/guides/error/#richer-error-model. */
export const detailsKey = "grpc-status-details-bin";

const codes: Record<Reason, status> = {
  PLUGIN_NOT_FOUND: status.NOT_FOUND,
  ACTION_NOT_FOUND: status.NOT_FOUND,
  PARAMS_INVALID: status.INVALID_ARGUMENT,
  REQUEST_INVALID: status.INVALID_ARGUMENT,
  PLUGIN_INVALID: status.FAILED_PRECONDITION,
  ACTION_FAILED: status.UNKNOWN,
  WORKER_LOST: status.ABORTED,
  RESULT_INVALID: status.UNKNOWN,
  PATH_FORBIDDEN: status.PERMISSION_DENIED,
  MODULE_FORBIDDEN: status.PERMISSION_DENIED,
  OVERLOADED: status.RESOURCE_EXHAUSTED,
  ENGINE_UNAVAILABLE: status.UNAVAILABLE,
  JOB_NOT_FOUND: status.NOT_FOUND,
  JOB_ID_CONFLICT: status.ALREADY_EXISTS,
  JOB_NOT_FINISHED: status.FAILED_PRECONDITION,
  EVENTS_EXPIRED: status.OUT_OF_RANGE,
  UNAUTHENTICATED: status.UNAUTHENTICATED,
  FORBIDDEN: status.PERMISSION_DENIED,
  DEADLINE: status.DEADLINE_EXCEEDED,
  CANCELLED: status.CANCELLED,
  INTERNAL: status.INTERNAL,
};

/**
 * Message and details travel in headers, the one escaped, the others in base64. Beyond 8 KB in all, clients in C++,
 * Python and others see another status instead; far beyond 16 KB grpc-js leaves the client without any answer.
 */
const maxDetailsBytes = 4.5 * 1024;
const maxEscapedMessage = 1024;
const maxMessageLength = 1024;
const maxValueLength = 1024;

/** What grpc-js takes as the end of a call. */
export interface CallStatus {
  code: status;
  details: string;
  metadata: Metadata;
}

/** The status of an error, with its details in the standard encoding. */
export function toCallStatus(error: PluginRunnerError): CallStatus {
  const code = codes[error.reason];
  const metadata = new Metadata();
  metadata.set(detailsKey, Buffer.from(encodeWithin(error, code)));
  return { code, details: cutEscaped(error.message, maxEscapedMessage), metadata };
}

/** The details of a status as another side sent them; undefined when there are none that can be read. */
export function fromCallMetadata(metadata: Metadata): Status | undefined {
  const [encoded] = metadata.get(detailsKey);
  if (!(encoded instanceof Uint8Array)) return undefined;
  try {
    return fromBinary(StatusSchema, encoded);
  } catch {
    return undefined;
  }
}

/** The first detail of one type. */
export function findDetail<Desc extends DescMessage>(details: Status, desc: Desc) {
  for (const any of details.details) {
    const message = anyUnpack(any, desc);
    if (message) return message;
  }
  return undefined;
}

/** Gives up, in this order: the plugin's stack, then violations from the last, then long metadata. */
function encodeWithin(error: PluginRunnerError, code: status): Uint8Array {
  for (const [stack, violations, value] of [
    [4096, 50, maxValueLength],
    [1024, 20, 512],
    [0, 5, 128],
    [0, 0, 0],
  ] as const) {
    const bytes = toBinary(
      StatusSchema,
      create(StatusSchema, {
        code,
        message: cut(error.message, maxMessageLength),
        details: details(error, stack, violations, value),
      }),
    );
    if (bytes.length <= maxDetailsBytes) return bytes;
  }
  return new Uint8Array();
}

function details(error: PluginRunnerError, stackLength: number, violations: number, valueLength: number): Any[] {
  const metadata: Record<string, string> = {};
  if (valueLength > 0) {
    for (const [key, value] of Object.entries(error.metadata)) metadata[key] = cut(value, valueLength);
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
        detail: cut(`${error.exceptionType}: ${error.message}`, 256),
      }),
    );
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
  return [{ field: file, description: `line ${line}, column ${column}: ${message}`, rule: "load" }];
}

function pack<Desc extends DescMessage>(desc: Desc, init: MessageInitShape<Desc>): Any {
  return anyPack(desc, create(desc, init));
}

/** Half a surrogate pair, which a cut or the text itself may leave, cannot be encoded. */
function cut(text: string, length: number): string {
  return (text.length <= length ? text : `${text.slice(0, length - 1)}…`).toWellFormed();
}

/** Cuts a text so that it has at most `length` characters once grpc-js has escaped it. */
function cutEscaped(text: string, length: number): string {
  let kept = "";
  let escaped = 0;
  for (const character of text.toWellFormed()) {
    escaped += encodeURI(character).length;
    if (escaped > length) return `${kept}…`;
    kept += character;
  }
  return text.toWellFormed();
}

/** The innermost call stands last in Python's stacks and first in JavaScript's; the ends say most, so keep both. */
function keepEnd(text: string, length: number): string {
  if (text.length <= length) return text.toWellFormed();
  const half = Math.floor(length / 2);
  return `${text.slice(0, half)}\n…\n${text.slice(-half)}`.toWellFormed();
}
