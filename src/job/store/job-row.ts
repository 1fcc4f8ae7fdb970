import type { SQLInputValue, SQLOutputValue } from "node:sqlite";
import { create, fromBinary, type JsonValue, toBinary } from "@bufbuild/protobuf";
import { timestampMs } from "@bufbuild/protobuf/wkt";
import { type Job, JobSchema } from "../../../gen/ts/pluginrunner/v1/job_pb.ts";
import { isJsonObject } from "../../util/json.ts";
import { jsonText } from "../../util/json-text.ts";
import { messageOf } from "../../util/message-of.ts";
import { wellFormed } from "../../util/shown-text.ts";
import { nothingGiven, summary } from "../job-summary.ts";
import type { Given, JobRecord } from "./job-store.ts";
import { keyOf, seal, sealText, unseal, unsealText } from "./sealed.ts";

/** A row as it is read: of any type, whatever its table says. Integers are BigInts, so that none is too large. */
export type Row = Readonly<Record<string, SQLOutputValue>>;

/** The columns of a record without what may be large. */
export const smallColumns = "job_id, state, end_time, summary, fingerprint, position, kept";

/** The columns that tell a job without what may be large. */
export const summaryColumns = "number, job_id, state, plugin, action, create_time, end_time, summary";

/** Times stand in whole milliseconds since 1970. */
export function columnsOf(record: JobRecord): Record<string, SQLInputValue> & { given: string } {
  const { job, fingerprint, position } = record;
  return {
    job_id: job.jobId,
    state: job.state,
    plugin: job.plugin,
    action: job.action,
    labels: JSON.stringify(job.labels),
    create_time: job.createTime ? timestampMs(job.createTime) : 0,
    end_time: endTimeOf(job),
    summary: summaryOf(record),
    params: paramsOf(record),
    result: resultOf(job) ?? null,
    given: givenOf(record),
    fingerprint,
    position,
    kept: keptOf(record),
  };
}

export function endTimeOf({ endTime }: Job): number | null {
  return endTime ? timestampMs(endTime) : null;
}

/** With the position, which no other checksum covers. */
export function summaryOf({ job, position }: JobRecord): Uint8Array {
  const place = Buffer.alloc(positionLength);
  place.writeDoubleLE(position);
  return seal(Buffer.concat([toBinary(JobSchema, summary(job)), place]), keyOf(job.jobId));
}

/** What the job gave, all of it or what can be carried. Undefined where it gave nothing. */
export function resultOf({ jobId, result, nonFiniteResult, error }: Job): Uint8Array | undefined {
  const encoded = (part: Job) => seal(toBinary(JobSchema, part), keyOf(jobId));
  if (result) return encoded(create(JobSchema, { result, nonFiniteResult }));
  const { partialResult, nonFinite } = error ?? {};
  if (!partialResult || !nonFinite) return undefined;
  return encoded(create(JobSchema, { error: { partialResult, nonFinite } }));
}

export function paramsOf({ job: { jobId, params, nonFiniteParams }, fingerprint }: JobRecord): Uint8Array {
  const encoded = toBinary(JobSchema, create(JobSchema, { ...(params && { params }), nonFiniteParams }));
  return seal(encoded, paramsKey(jobId, fingerprint));
}

export function givenOf({ job: { jobId }, given: { params, env } }: JobRecord): string {
  return sealText(jsonText({ params: params.value, non_finite: params.nonFinite, env }), keyOf(jobId));
}

/** What is small of what was given: it is read of every job that has not ended when the service starts. */
export function keptOf({ job: { jobId }, given: { files, environment, unchecked } }: JobRecord): string {
  const { bySchema: by_schema = false } = unchecked ?? {};
  const kept = { ...(files !== undefined && { files }), ...(environment !== undefined && { environment }) };
  return sealText(jsonText({ ...kept, ...(unchecked && { unchecked: { by_schema } }) }), keyOf(jobId));
}

export const positionLength = 8;

/** So that a fingerprint is covered too. */
function paramsKey(jobId: string, fingerprint: string): number {
  return keyOf(`${jobId} ${fingerprint}`);
}

/** A record, or what there is of one. */
export interface ReadRecord extends JobRecord {
  /** What could not be read, and why: "given: its checksum is wrong". */
  lost: string[];
}

/**
 * Throws when even the summary cannot be read; what else cannot is left out, and named. With `trusting`, params, result and
 * what was given are left out as well where their checksums are right, since they may take seconds to decode.
 */
export function readRow(row: Row, trusting = false): ReadRecord {
  const jobId = text(row, "job_id");
  const { bytes, position } = readSummary(row);
  const lost: string[] = [];
  const part = <T>(name: string, read: () => T, otherwise: T): T => {
    try {
      return read();
    } catch (error) {
      lost.push(`${name}: ${messageOf(error)}`);
      return otherwise;
    }
  };
  const fingerprint = part("fingerprint", () => text(row, "fingerprint"), "");
  const nothing = new Uint8Array();
  const message = (name: string, key: number) => () => {
    const { bytes: found, checked } = unseal(blob(row, name), key);
    if (trusting && checked) return nothing;
    fromBinary(JobSchema, found);
    return found;
  };
  const givenIn = (sealed: string) => {
    const written = unsealText(sealed, keyOf(jobId));
    return trusting && written !== sealed ? nothingGiven : readGiven(written);
  };
  const params =
    row.params === undefined ? nothing : part("params", message("params", paramsKey(jobId, fingerprint)), nothing);
  const result = (row.result ?? null) === null ? nothing : part("result", message("result", keyOf(jobId)), nothing);
  const given = row.given === undefined ? nothingGiven : part("given", () => givenIn(text(row, "given")), nothingGiven);
  const kept = part("kept", () => readKept(row, jobId), {});
  // Fields of one message may be divided over several encodings: read one after another they make the whole.
  const job = fromBinary(JobSchema, Buffer.concat([bytes, params, result]));
  const place = part("position", () => position ?? number(row, "position"), 0);
  return { job, given: { ...given, ...kept }, fingerprint, position: place, lost };
}

/** Throws when any of it cannot be read: where there is a checksum, it alone is looked at. */
export function checkRow(row: Row): void {
  const { lost } = readRow(row, true);
  if (lost.length > 0) throw new Error(lost.join("; "));
}

/** Throws when any of it cannot be read. */
export function toRecord(row: Row): JobRecord {
  const { lost, ...record } = readRow(row);
  if (lost.length > 0) throw new Error(lost.join("; "));
  return record;
}

/** The job without what may be large. Throws when it cannot be read. */
export function toSummary(row: Row): Job {
  return readSummary(row).job;
}

/** A job without what may be large, with its encoding, and the position where that is kept with it. */
interface Summary {
  job: Job;
  bytes: Uint8Array;
  position: number | undefined;
}

function readSummary(row: Row): Summary {
  const found = summaryIn(row);
  const { job } = found;
  if (job.state !== number(row, "state")) throw new Error(`state: ${row.state} beside ${job.state}`);
  const endTime = row.end_time === null ? null : number(row, "end_time");
  if (endTime !== endTimeOf(job)) throw new Error(`end_time: ${endTime} beside ${endTimeOf(job)}`);
  return found;
}

/** As it is kept, whatever the columns beside it say. */
export function summaryIn(row: Row): Summary {
  const jobId = text(row, "job_id");
  const { bytes: kept, checked } = unseal(blob(row, "summary"), keyOf(jobId));
  const bytes = checked ? kept.subarray(0, -positionLength) : kept;
  const place = kept.subarray(-positionLength);
  const position = checked ? new DataView(place.buffer, place.byteOffset).getFloat64(0, true) : undefined;
  const job = fromBinary(JobSchema, bytes);
  if (job.jobId !== jobId) throw new Error(`summary: it is of job ${job.jobId}`);
  return { job, bytes, position };
}

function readGiven(written: string): Given {
  const read: JsonValue = JSON.parse(written);
  const { params, non_finite: nonFinite = [], env } = isJsonObject(read) ? read : {};
  if (!isJsonObject(params) || !isJsonObject(env) || !Array.isArray(nonFinite))
    throw new Error("it is not what was given");
  return {
    params: { value: params, nonFinite: nonFinite.map(String) },
    env: Object.fromEntries(Object.entries(env).map(([name, value]) => [name, String(value)])),
  };
}

/** The first version kept it with what was given. */
function readKept(row: Row, jobId: string): Omit<Given, "params" | "env"> {
  const written = row.kept === "" ? (row.given ?? "{}") : row.kept;
  const read: JsonValue = JSON.parse(unsealText(typeof written === "string" ? written : "", keyOf(jobId)));
  const { files, environment, unchecked } = isJsonObject(read) ? read : {};
  return {
    ...(typeof files === "string" && { files }),
    ...(typeof environment === "string" && { environment }),
    ...(isJsonObject(unchecked) && { unchecked: { bySchema: unchecked.by_schema === true } }),
  };
}

export function text(row: Row, name: string): string {
  const value = row[name];
  if (typeof value === "string") return wellFormed(value);
  throw new Error(`${name}: it is no text`);
}

export function number(row: Row, name: string): number {
  const value = Number(typeof row[name] === "bigint" || typeof row[name] === "number" ? row[name] : Number.NaN);
  if (Number.isSafeInteger(value)) return value;
  throw new Error(`${name}: it is no integer`);
}

export function blob(row: Row, name: string): Uint8Array {
  const value = row[name];
  if (value instanceof Uint8Array) return value;
  throw new Error(`${name}: it is not binary`);
}

export function orElse<T>(read: () => T, otherwise: T): T {
  try {
    return read();
  } catch {
    return otherwise;
  }
}
