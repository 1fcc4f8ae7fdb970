/**
 * Numbers that JSON has no literal for travel as texts, with pointers beside the value. Here the client puts them in
 * their places before its caller sees a message, and takes them out again to print one.
 */
import {
  clone,
  type DescMessage,
  type JsonValue,
  type JsonWriteOptions,
  type MessageShape,
  toJson,
} from "@bufbuild/protobuf";
import { type Value, ValueSchema } from "@bufbuild/protobuf/wkt";
import { type JobEvent, JobEventSchema, type JobResult } from "../../gen/ts/pluginrunner/v1/job_event_pb.ts";
import { type Job, type JobError, JobSchema } from "../../gen/ts/pluginrunner/v1/job_pb.ts";
import {
  type ValidateParamsResponse,
  ValidateParamsResponseSchema,
} from "../../gen/ts/pluginrunner/v1/plugin_runner_pb.ts";
import { withNumbers, withTexts } from "../util/non-finite.ts";

/** A value of a message as plain JSON, with its numbers; null when there is none. */
export function jsonOf(value: Value | undefined, nonFinite: readonly string[]): JsonValue {
  return value ? withNumbers(toJson(ValueSchema, value), nonFinite) : null;
}

/** The result of a job, or of its event `result`; null while there is none, and when the action returned nothing. */
export function resultOf(message: Job | JobResult): JsonValue {
  if (message.$typeName === JobSchema.typeName) return jsonOf(message.result, message.nonFiniteResult);
  return jsonOf(message.value, message.nonFinite);
}

/** What can be carried of a result that JSON cannot carry as a whole; undefined where there is nothing of it. */
export function partialResultOf({ partialResult, nonFinite }: JobError): JsonValue | undefined {
  return partialResult && jsonOf(partialResult, nonFinite);
}

/** Puts the numbers of a job's params, metrics and artifacts in their places. `resultOf` gives the result's. */
export function numbersInJob(job: Job): Job {
  visitJob(job, withNumbers);
  return job;
}

/** The same for an event. */
export function numbersInEvent(event: JobEvent): JobEvent {
  visitEvent(event, withNumbers);
  return event;
}

/** The same for a verdict on params. */
export function numbersInVerdict(verdict: ValidateParamsResponse): ValidateParamsResponse {
  visitVerdict(verdict, withNumbers);
  return verdict;
}

/** A job in Protobuf's JSON mapping: its numbers without a literal are texts again, as grpcurl prints them. */
export function jobToJson(job: Job, options?: JsonOptions): JsonValue {
  return asJson(JobSchema, job, visitJob, options);
}

/** The same for an event. */
export function eventToJson(event: JobEvent, options?: JsonOptions): JsonValue {
  return asJson(JobEventSchema, event, visitEvent, options);
}

/** The same for a verdict on params. */
export function verdictToJson(verdict: ValidateParamsResponse, options?: JsonOptions): JsonValue {
  return asJson(ValidateParamsResponseSchema, verdict, visitVerdict, options);
}

type JsonOptions = Partial<JsonWriteOptions>;

type Change = (value: JsonValue, pointers: readonly string[]) => JsonValue;

function asJson<Desc extends DescMessage>(
  desc: Desc,
  message: MessageShape<Desc>,
  visit: (message: MessageShape<Desc>, change: Change) => void,
  options: JsonOptions | undefined,
): JsonValue {
  const copy = clone(desc, message);
  visit(copy, withTexts);
  return toJson(desc, copy, options);
}

/** The values of a message that are plain objects are changed as they stand: a root is never a number itself. */
function visitJob(job: Job, change: Change): void {
  if (job.params) change(job.params, job.nonFiniteParams);
  for (const { values, nonFinite } of job.metrics) if (values) change(values, nonFinite);
  for (const { metadata, nonFinite } of job.artifacts) if (metadata) change(metadata, nonFinite);
}

function visitEvent({ payload }: JobEvent, change: Change): void {
  if (payload.case === "metrics" && payload.value.values) change(payload.value.values, payload.value.nonFinite);
  if (payload.case === "log" && payload.value.fields) change(payload.value.fields, payload.value.nonFinite);
  if (payload.case === "artifact" && payload.value.metadata) change(payload.value.metadata, payload.value.nonFinite);
}

function visitVerdict({ params, nonFinite }: ValidateParamsResponse, change: Change): void {
  if (params) change(params, nonFinite);
}
