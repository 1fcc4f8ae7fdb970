import assert from "node:assert/strict";
import { test } from "node:test";
import { create } from "@bufbuild/protobuf";
import { DurationSchema, durationFromMs } from "@bufbuild/protobuf/wkt";
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

test("a duration or a time that its type cannot say is refused: no client could show it", () => {
  const timeout = (seconds: bigint, nanos: number) => () => timeoutMs(create(DurationSchema, { seconds, nanos }));
  for (const [seconds, nanos] of [
    [315_576_000_001n, 0],
    [2n ** 62n, 0],
    [1n, 1_000_000_000],
  ] as const) {
    assert.throws(timeout(seconds, nanos), isInvalid("/timeout"));
  }
  assert.equal(timeout(315_576_000_000n, 0)(), 315_576_000_000_000);
  const after = (seconds: bigint, nanos = 0) => create(JobFilterSchema, { createdAfter: { seconds, nanos } });
  checkFilter(after(253_402_300_799n));
  for (const filter of [after(253_402_300_800n), after(-62_135_596_801n), after(0n, -1)]) {
    assert.throws(() => checkFilter(filter), isInvalid("/filter/created_after"));
  }
});

test("numbers that stand as such and texts that pointers name are the same params", () => {
  const carried = { value: { a: ["NaN", "NaN"], b: "-Infinity" }, nonFinite: ["/a/1", "/b"] };
  assert.deepEqual(paramsOf({ params: { a: ["NaN", Number.NaN], b: -Infinity }, nonFinite: [] }), carried);
  assert.deepEqual(paramsOf({ params: structuredClone(carried.value), nonFinite: carried.nonFinite }), carried);
  assert.deepEqual(paramsOf({ params: { a: ["NaN", Number.NaN], b: "-Infinity" }, nonFinite: ["/b"] }), carried);
  const plain = { a: "NaN" };
  assert.equal(paramsOf({ params: plain, nonFinite: [] }).value, plain);
});

test("a pointer that leads to no such text is refused with its index", () => {
  for (const pointer of ["/b", "a", "", "/a/length", "/a/01", "/c"]) {
    const request = { params: { a: ["NaN"], c: "nan" }, nonFinite: ["/a/0", pointer] };
    assert.throws(() => paramsOf(request), isInvalid("/non_finite/1"), pointer);
  }
});

test("what a request asks for goes over what is configured, each resource by itself", () => {
  const configured = create(ResourcesSchema, { cpus: 1, memoryMib: 100, custom: { a: 1, b: 1 } });
  const asked = create(ResourcesSchema, { cpus: 2, custom: { b: 2 } });
  const { cpus, memoryMib, custom } = mergeResources(configured, asked) ?? assert.fail();
  assert.deepEqual({ cpus, memoryMib, custom }, { cpus: 2, memoryMib: 100, custom: { a: 1, b: 2 } });
  assert.equal(mergeResources(undefined, undefined), undefined);
  for (const bad of [-1, Number.NaN, Number.POSITIVE_INFINITY]) {
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
