import assert from "node:assert/strict";
import { test } from "node:test";
import { create } from "@bufbuild/protobuf";
import { durationFromMs } from "@bufbuild/protobuf/wkt";
import { JobFilterSchema, JobState } from "../../gen/ts/pluginrunner/v1/job_pb.ts";
import { ResourcesSchema } from "../../gen/ts/pluginrunner/v1/plugin_pb.ts";
import { PluginRunnerError } from "../../src/errors.ts";
import {
  checkActionRequest,
  checkEnv,
  checkFilter,
  checkJobId,
  checkLabels,
  mergeResources,
  paramsOf,
  timeoutMs,
} from "../../src/runner/request.ts";

test("a job's id has only what is safe in a path and a URL", () => {
  for (const id of ["", "a", "A-1_b", "x".repeat(64)]) checkJobId(id);
  for (const id of ["-a", "_a", "a.b", "a/b", "..", "a b", "ä", "a\n", "a\0", "x".repeat(65)]) {
    assert.throws(() => checkJobId(id), isInvalid("/job_id"), JSON.stringify(id));
  }
});

test("a request names a plugin and an action, or an entrypoint", () => {
  const request = { plugin: "p", action: "a", entrypoint: "" };
  checkActionRequest(request);
  checkActionRequest({ ...request, action: "", entrypoint: "m:F" });
  assert.throws(() => checkActionRequest({ ...request, plugin: "" }), isInvalid("/plugin"));
  assert.throws(() => checkActionRequest({ ...request, action: "" }), isInvalid("/action"));
  assert.throws(() => checkActionRequest({ ...request, plugin: "p\0" }), isInvalid("/plugin"));
  assert.throws(() => checkActionRequest({ ...request, entrypoint: "x".repeat(4097) }), isInvalid("/entrypoint"));
});

test("params that could not travel are refused, and the pointer says where", () => {
  const hostile = JSON.parse('{"a":[{"__proto__":1}]}');
  assert.throws(
    () => paramsOf({ params: hostile, nonFinite: [] }),
    isInvalid("/params/a/0/__proto__", "PARAMS_INVALID"),
  );
});

test("the environment has names that it can have, and bounded values", () => {
  checkEnv({ PATH: "x", _a1: "" });
  for (const name of ["", "1a", "a-b", "a=b", "a\0"]) assert.throws(() => checkEnv({ [name]: "x" }), isInvalid("/env"));
  assert.throws(() => checkEnv({ a: "x\0" }), isInvalid("/env/a"));
  assert.throws(() => checkEnv({ a: "x".repeat(32 * 1024 + 1) }), isInvalid("/env/a"));
  const many = Object.fromEntries(Array.from({ length: 257 }, (_, at) => [`a${at}`, ""]));
  assert.throws(() => checkEnv(many), isInvalid("/env"));
});

test("labels and filters are bounded", () => {
  checkLabels({ team: "red" });
  assert.throws(() => checkLabels({ "": "x" }), isInvalid("/labels"));
  assert.throws(() => checkLabels({ a: "x".repeat(257) }), isInvalid("/labels/a"));
  const many = Object.fromEntries(Array.from({ length: 65 }, (_, at) => [`a${at}`, ""]));
  assert.throws(() => checkLabels(many), isInvalid("/labels"));
  checkFilter(undefined);
  checkFilter(create(JobFilterSchema, { states: [JobState.RUNNING], labels: { team: "red" } }));
  assert.throws(() => checkFilter(create(JobFilterSchema, { labels: many })), isInvalid("/filter/labels"));
  const states = Array<JobState>(65).fill(JobState.RUNNING);
  assert.throws(() => checkFilter(create(JobFilterSchema, { states })), isInvalid("/filter/states"));
});

test("a timeout is more than 0", () => {
  assert.deepEqual([timeoutMs(undefined), timeoutMs(durationFromMs(1500))], [undefined, 1500]);
  for (const ms of [0, -1]) assert.throws(() => timeoutMs(durationFromMs(ms)), isInvalid("/timeout"));
});

test("what a request asks for goes over what is configured, each resource by itself", () => {
  const configured = create(ResourcesSchema, { cpus: 1, memoryMib: 100, custom: { a: 1, b: 1 } });
  const asked = create(ResourcesSchema, { cpus: 2, custom: { b: 2 } });
  const { cpus, memoryMib, custom } = mergeResources(configured, asked) ?? assert.fail();
  assert.deepEqual({ cpus, memoryMib, custom }, { cpus: 2, memoryMib: 100, custom: { a: 1, b: 2 } });
  assert.equal(mergeResources(undefined, undefined), undefined);
  for (const bad of [-1, Number.NaN]) {
    assert.throws(
      () => mergeResources(undefined, create(ResourcesSchema, { cpus: bad })),
      isInvalid("/resources/cpus"),
    );
  }
});

function isInvalid(field: string, reason = "REQUEST_INVALID") {
  return (error: unknown) => {
    assert.ok(error instanceof PluginRunnerError);
    assert.deepEqual([error.reason, error.violations[0]?.field], [reason, field]);
    return true;
  };
}
