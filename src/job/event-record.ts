import { create, fromJson, type JsonObject, type JsonValue } from "@bufbuild/protobuf";
import { ValueSchema } from "@bufbuild/protobuf/wkt";
import { JobLogSchema, JobResultSchema, LogSource } from "../../gen/ts/pluginrunner/v1/job_event_pb.ts";
import { JobArtifactSchema, JobMetricsSchema, JobProgressSchema } from "../../gen/ts/pluginrunner/v1/job_pb.ts";
import { type ErrorRecord, readErrorRecord, toErrorRecord } from "../errors.ts";
import { isJsonObject } from "../util/json.ts";
import { usablePointers } from "../util/non-finite.ts";
import { toPlainJson } from "../util/plain-json.ts";
import { wellFormed } from "../util/shown-text.ts";
import { readResult, unsendable } from "../worker/result.ts";
import type { EventDraft } from "./job-log.ts";

/** What a line of an events file says: an event as it is, or something that the job's life depends on. */
export type EventLine =
  | { kind: "event"; draft: EventDraft }
  | { kind: "started"; timeMs: number }
  | { kind: "error"; timeMs: number; error: ErrorRecord }
  | {
      kind: "exit";
      timeMs: number;
      code: number | null;
      signal: string | null;
      timedOut: boolean;
      /** "SERVICE", the signal by which somebody else stopped the job, or empty. */
      stoppedBy: string;
      stderrTail: string;
    };

/** Supervisors keep lines below this, but for the outcome's; a larger event would not fit into messages of clients. */
const maxLineBytes = 512 * 1024;
const outcomes: readonly unknown[] = ["result", "error"];
/** The end of the year 9999, the last that a `Timestamp` can say. */
const maxSeconds = 253_402_300_799;

/** Reads one line of an events file, as docs/protocol.md describes them. Undefined for what is none. */
export function readEventLine(line: Uint8Array): EventLine | undefined {
  const record = parse(line);
  if (!record || (line.length > maxLineBytes && !outcomes.includes(record.type))) return undefined;
  const timeMs = isTime(record.time) ? record.time * 1000 : Date.now();
  const fault = record.type === "result" ? unsendable(readResult(record.value ?? null, record.non_finite)) : undefined;
  if (fault) return { kind: "error", timeMs, error: toErrorRecord(fault) };
  const payload = toPayload(record);
  if (payload) return { kind: "event", draft: { timeMs, payload } };
  switch (record.type) {
    case "started":
      return { kind: "started", timeMs };
    case "error":
      return { kind: "error", timeMs, error: readErrorRecord(record.error) };
    case "exit":
      return {
        kind: "exit",
        timeMs,
        code: typeof record.code === "number" ? record.code : null,
        signal: typeof record.signal === "string" ? record.signal : null,
        timedOut: record.timed_out === true,
        stoppedBy: text(record.stopped_by),
        stderrTail: text(record.stderr_tail),
      };
  }
  return undefined;
}

/** A line that the service itself adds to a job's log. */
export function serviceLog(message: string, level = "WARNING"): EventDraft {
  const value = create(JobLogSchema, { source: LogSource.SERVICE, level, message });
  return { timeMs: Date.now(), payload: { case: "log", value } };
}

const sources: Readonly<Record<string, LogSource>> = {
  STDOUT: LogSource.STDOUT,
  STDERR: LogSource.STDERR,
  LOGGER: LogSource.LOGGER,
  SERVICE: LogSource.SERVICE,
};

function toPayload(record: JsonObject): EventDraft["payload"] | undefined {
  switch (record.type) {
    case "progress":
      return {
        case: "progress",
        value: create(JobProgressSchema, {
          step: text(record.step),
          current: number(record.current),
          total: number(record.total),
          message: text(record.message),
        }),
      };
    case "metrics":
      return {
        case: "metrics",
        value: create(JobMetricsSchema, metrics(record)),
      };
    case "log":
      return {
        case: "log",
        value: create(JobLogSchema, {
          source: sources[text(record.source)] ?? LogSource.UNSPECIFIED,
          level: text(record.level),
          message: text(record.message),
          ...logFields(record),
        }),
      };
    case "artifact": {
      const metadata = fields(record.metadata, record.non_finite);
      return {
        case: "artifact",
        value: create(JobArtifactSchema, {
          name: text(record.name),
          uri: text(record.uri),
          mediaType: text(record.media_type),
          sizeBytes: Number.isSafeInteger(record.size_bytes) ? BigInt(number(record.size_bytes)) : 0n,
          sha256: text(record.sha256),
          metadata: metadata.value,
          nonFinite: metadata.nonFinite,
        }),
      };
    }
    case "result": {
      const value = record.value ?? null;
      const nonFinite = usablePointers(value, record.non_finite);
      return {
        case: "result",
        value: create(JobResultSchema, { value: fromJson(ValueSchema, value), nonFinite }),
      };
    }
  }
  return undefined;
}

function metrics(record: JsonObject) {
  const { value, nonFinite } = fields(record.values, record.non_finite);
  return { step: text(record.step), values: value, nonFinite };
}

function logFields(record: JsonObject) {
  const { value, nonFinite } = fields(record.fields, record.non_finite);
  return Object.keys(value).length === 0 ? {} : { fields: value, nonFinite };
}

function parse(line: Uint8Array): JsonObject | undefined {
  try {
    const value: JsonValue = JSON.parse(Buffer.from(line.buffer, line.byteOffset, line.byteLength).toString("utf8"));
    return isJsonObject(value) ? value : undefined;
  } catch {
    return undefined;
  }
}

/** What could not be read again, by this service or by clients, has a text in its place. */
function fields(given: JsonValue | undefined, pointers: JsonValue | undefined) {
  const { value } = toPlainJson(isJsonObject(given) ? given : {}, { instead: shownInstead, rename: wellFormed });
  return { value: isJsonObject(value) ? value : {}, nonFinite: usablePointers(value, pointers) };
}

function shownInstead(value: unknown): string {
  return typeof value === "string" ? wellFormed(value) : "[nested deeper than clients can read]";
}

function isTime(value: JsonValue | undefined): value is number {
  return typeof value === "number" && value >= 0 && value <= maxSeconds;
}

function text(value: JsonValue | undefined): string {
  return typeof value === "string" ? wellFormed(value) : "";
}

function number(value: JsonValue | undefined): number {
  return typeof value === "number" && Number.isFinite(value) ? value : 0;
}
