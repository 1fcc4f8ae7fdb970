import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { create, fromBinary, type JsonValue, toJson } from "@bufbuild/protobuf";
import { type Value, ValueSchema } from "@bufbuild/protobuf/wkt";
import { StatusSchema } from "../../gen/ts/google/rpc/status_pb.ts";
import { JobErrorSchema, JobSchema } from "../../gen/ts/pluginrunner/v1/job_pb.ts";
import { PluginRunner, type RunPluginResponse } from "../../gen/ts/pluginrunner/v1/plugin_runner_pb.ts";
import { findDetail } from "../../src/grpc/status.ts";
import { startServer, type TestServer } from "../support/server.ts";
import { isError, numberValue, RawCalls, refusal, runRequest } from "./raw-calls.ts";

const plugin = "javascript-values";
const { runPlugin, validateParams, submitJob, getJob } = PluginRunner.method;

let server: TestServer;
let raw: RawCalls;

before(async () => {
  server = await startServer();
  raw = new RawCalls(server.address);
});

after(async () => {
  raw[Symbol.dispose]();
  await server[Symbol.asyncDispose]();
});

/** What a response carries, as stock tools print it. */
function carried({ result, nonFinite }: Pick<RunPluginResponse, "result" | "nonFinite">): [JsonValue, string[]] {
  return [json(result), nonFinite];
}

function json(value: Value | undefined): JsonValue {
  return toJson(ValueSchema, value ?? create(ValueSchema));
}

test("a number that JSON has no literal for leaves as a text with its pointer, however it came", async () => {
  for (const value of [Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY]) {
    const bytes = await raw.send(runRequest(plugin, "echo", "value", numberValue(value)));
    assert.ok(!isError(bytes));
    assert.deepEqual(carried(fromBinary(runPlugin.output, bytes)), [String(value), [""]]);
    const params = { value: [String(value), { "a/b": String(value) }] };
    const told = await raw.unary(runPlugin, { plugin, action: "echo", params, nonFinite: ["/value/1/a~1b"] });
    assert.deepEqual(carried(told), [params.value, ["/1/a~1b"]]);
  }
});

test("a pointer that leads to no such text is refused with its index, in every method that takes params", async () => {
  const request = { plugin, action: "echo", params: { value: "NaN" }, nonFinite: ["/value", "/other"] };
  for (const sent of [
    () => raw.unary(runPlugin, request),
    () => raw.unary(validateParams, request),
    () => raw.stream(submitJob, request),
  ]) {
    const error = await refusal(sent());
    assert.equal(error.reason, "REQUEST_INVALID");
    assert.equal(error.violations[0]?.field, "/non_finite/1");
  }
});

test("params are the same as others only with the same numbers among them", async () => {
  const params = { value: "NaN" };
  const request = { plugin, action: "echo", params, requestId: "values-1" };
  assert.deepEqual(carried(await raw.unary(runPlugin, request)), ["NaN", []]);
  const other = await refusal(raw.unary(runPlugin, { ...request, nonFinite: ["/value"] }));
  assert.equal(other.violations[0]?.field, "/request_id");
  const job = { plugin, action: "echo", params, jobId: "values-1", nonFinite: ["/value"] };
  await raw.stream(submitJob, job);
  assert.equal((await refusal(raw.stream(submitJob, { ...job, nonFinite: [] }))).reason, "JOB_ID_CONFLICT");
});

test("a job's record shows its params and its result with their numbers", async () => {
  const params = { value: { loss: "NaN", text: "NaN" } };
  await raw.stream(submitJob, { plugin, action: "echo", params, jobId: "values-2", nonFinite: ["/value/loss"] });
  const { job = create(JobSchema) } = await raw.unary(getJob, { jobId: "values-2" });
  assert.deepEqual([job.params, job.nonFiniteParams], [params, ["/value/loss"]]);
  assert.deepEqual([json(job.result), job.nonFiniteResult], [params.value, ["/loss"]]);
  const valid = await raw.unary(validateParams, { plugin, action: "echo", params, nonFinite: ["/value/loss"] });
  assert.deepEqual([valid.params, valid.nonFinite], [params, ["/value/loss"]]);
});

test("what can be carried of a result comes with the refusal of a run", async () => {
  const outcome = await raw.send(runRequest(plugin, "half", "size", numberValue(10)));
  assert.ok(isError(outcome));
  const [details] = outcome.metadata.get("grpc-status-details-bin");
  assert.ok(details instanceof Buffer);
  const partial = findDetail(fromBinary(StatusSchema, details), JobErrorSchema);
  assert.deepEqual(json(partial?.partialResult), { run: null, loss: "NaN", text: "xxxxxxxxxx" });
  assert.deepEqual(partial?.nonFinite, ["/loss"]);
});

test("what is too large for the headers of a run's refusal is said to be, and a job keeps it", async () => {
  const request = { plugin, action: "half", params: { size: 100_000 } };
  const error = await refusal(raw.unary(runPlugin, request));
  assert.equal(error.metadata.field, "/run");
  assert.equal(error.metadata.partial_result, "too large to send");
  await raw.stream(submitJob, { ...request, jobId: "values-3" });
  const { job = create(JobSchema) } = await raw.unary(getJob, { jobId: "values-3" });
  const kept = json(job.error?.partialResult);
  assert.equal(JSON.stringify(kept), JSON.stringify({ run: null, loss: "NaN", text: "x".repeat(100_000) }));
  assert.deepEqual(job.error?.nonFinite, ["/loss"]);
});
