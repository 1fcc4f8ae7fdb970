import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { fromJson, type MessageInitShape } from "@bufbuild/protobuf";
import { ValueSchema } from "@bufbuild/protobuf/wkt";
import type { JobEventSchema } from "../../gen/ts/pluginrunner/v1/job_event_pb.ts";
import { type JobSchema, JobState } from "../../gen/ts/pluginrunner/v1/job_pb.ts";
import { PluginRunner, type RunPluginRequest } from "../../gen/ts/pluginrunner/v1/plugin_runner_pb.ts";
import { connect, eventToJson, jobToJson, partialResultOf, RunnerError, verdictToJson } from "../../src/client.ts";
import { fakeServer, snapshot, streaming, unary } from "./fake-server.ts";

const { method } = PluginRunner;

/** Runs with params on a server that answers with the same, and returns what it was sent and what came back. */
async function echo(params: object) {
  const requests: RunPluginRequest[] = [];
  using server = await fakeServer([
    unary(method.runPlugin, async (request) => {
      requests.push(request);
      return { result: fromJson(ValueSchema, request.params ?? null), nonFinite: request.nonFinite };
    }),
  ]);
  await using client = connect({ address: server.address });
  const result = await client.runPlugin("p", "a", params);
  return { request: requests[0], result };
}

describe("params", () => {
  interface Settings {
    rate: number;
    note?: string | undefined;
  }

  test("of an interface are taken, and members that are undefined are left out", async () => {
    const settings: Settings = { rate: 0.5, note: undefined };
    assert.deepEqual((await echo(settings)).request?.params, { rate: 0.5 });
  });

  test("of every plain kind of JavaScript become JSON without loss", async () => {
    const { request } = await echo({
      at: new Date(0),
      tags: new Set(["a"]),
      sizes: new Map([["x", 1n]]),
      weights: new Float32Array([0.5]),
      bytes: new Uint8Array([1, 2]),
      link: new URL("http://a/b"),
    });
    assert.deepEqual(request?.params, {
      at: "1970-01-01T00:00:00.000Z",
      tags: ["a"],
      sizes: { x: 1 },
      weights: [0.5],
      bytes: "AQI=",
      link: "http://a/b",
    });
  });

  test("with numbers that JSON has no literal for travel as texts that are named, and come back as numbers", async () => {
    const params = { "a/b": [Number.NaN, "NaN"], best: -Infinity };
    const { request, result } = await echo(params);
    assert.deepEqual(request?.params, { "a/b": ["NaN", "NaN"], best: "-Infinity" });
    assert.deepEqual(request?.nonFinite, ["/a~1b/0", "/best"]);
    assert.deepEqual(result, params);
  });

  test("that cannot be sent are refused with every place, before anything is", async () => {
    await using client = connect({ address: "127.0.0.1:1" });
    const bad = { ids: [2n ** 53n + 1n], "a\ud800": 1, run: () => 1 };
    for (const call of [
      client.runPlugin("p", "a", bad),
      client.submitJob("p", "a", bad),
      client.validateParams("p", "a", bad),
    ]) {
      await assert.rejects(call, (error) => {
        assert.ok(error instanceof RunnerError);
        assert.equal(error.reason, "REQUEST_INVALID");
        assert.deepEqual(
          error.violations.map(({ field }) => field),
          ["/params/ids/0", "/params/a\\ud800", "/params/run"],
        );
        return true;
      });
    }
  });

  test("that nest deeper than every client can read are refused", async () => {
    await using client = connect({ address: "127.0.0.1:1" });
    let params: object = { a: 1 };
    for (let level = 0; level < 40; level++) params = { a: params };
    await assert.rejects(client.runPlugin("p", "a", params), { reason: "REQUEST_INVALID", message: /nesting deeper/ });
  });
});

test("texts that UTF-8 cannot say, and options out of their range, are refused with their field", async () => {
  await using client = connect({ address: "127.0.0.1:1" });
  const calls: [Promise<unknown>, field: string][] = [
    [client.runPlugin("p\ud800", "a"), "/plugin"],
    [client.runPlugin("p", "a", {}, { env: { A: "\ud800" } }), "/env/A"],
    [client.submitJob("p", "a", {}, { labels: { team: "\ud800" } }), "/labels/team"],
    [Reflect.apply(client.runPlugin, client, ["p"]), "/action"],
    [Reflect.apply(client.runPlugin, client, ["p", "a", {}, { env: { "A/B": 1 } }]), "/env/A~1B"],
    [Reflect.apply(client.submitJob, client, ["p", "a", {}, { jobId: 7 }]), "/job_id"],
    [client.runPlugin("p", "a", {}, { timeoutMs: Number.NaN }), "/timeout"],
    [client.runPlugin("p", "a", {}, { timeoutMs: 1e18 }), "/timeout"],
    [client.runPlugin("p", "a", {}, { resources: { memoryMib: 1.5 } }), "/memory_mib"],
  ];
  for (const [call, field] of calls) {
    await assert.rejects(call, (error) => {
      assert.ok(error instanceof RunnerError);
      assert.deepEqual([error.reason, error.violations[0]?.field], ["REQUEST_INVALID", field]);
      return true;
    });
  }
});

test("warnings of a run, a job and a verdict reach the caller", async () => {
  const warnings = [{ field: "/params/epoch", description: 'is not used; did you mean "epochs"?', rule: "unknown" }];
  using server = await fakeServer([
    unary(method.runPlugin, async () => ({ warnings })),
    streaming(method.submitJob, async function* ({ jobId }) {
      yield snapshot({ jobId, warnings });
    }),
    unary(method.validateParams, async ({ env }) => {
      assert.deepEqual(env, { TZ: "UTC" });
      return { valid: true, warnings };
    }),
  ]);
  await using client = connect({ address: server.address });
  const seen: unknown[] = [];
  const onWarning = (warning: unknown) => seen.push(warning);
  await client.runPlugin("p", "a", {}, { onWarning });
  await client.runPlugin("p", "a", {}, { mode: "job", onWarning });
  assert.deepEqual(seen, [...warnings, ...warnings]);
  const verdict = await client.validateParams("p", "a", {}, { env: { TZ: "UTC" } });
  assert.partialDeepStrictEqual(verdict.warnings, warnings);
});

const finished: MessageInitShape<typeof JobSchema> = {
  jobId: "j",
  state: JobState.SUCCEEDED,
  lastSequence: 3n,
  params: { rate: "NaN", name: "NaN" },
  nonFiniteParams: ["/rate"],
  result: fromJson(ValueSchema, ["Infinity"]),
  nonFiniteResult: ["/0"],
  metrics: [{ step: "", values: { loss: "NaN" }, nonFinite: ["/loss"] }],
};

const payloads: NonNullable<MessageInitShape<typeof JobEventSchema>["payload"]>[] = [
  { case: "metrics", value: { values: { loss: "NaN", note: "NaN" }, nonFinite: ["/loss"] } },
  { case: "log", value: { message: "m", fields: { best: ["-Infinity"] }, nonFinite: ["/best/0"] } },
  { case: "result", value: { value: fromJson(ValueSchema, "NaN"), nonFinite: [""] } },
];

test("jobs and events have their numbers in their places, and are printed with the texts again", async () => {
  const events = payloads.map((payload, at) => ({ sequence: BigInt(at + 1), payload }));
  using server = await fakeServer([
    unary(method.getJob, async () => ({ job: finished })),
    unary(method.validateParams, async () => ({ valid: true, params: { rate: "NaN" }, nonFinite: ["/rate"] })),
    streaming(method.watchJob, async function* () {
      yield snapshot(finished);
      yield { update: { case: "events" as const, value: { events } } };
    }),
    streaming(method.submitJob, async function* () {
      yield snapshot({ ...finished, state: JobState.PENDING });
    }),
  ]);
  await using client = connect({ address: server.address });
  const job = await client.getJob("j");
  assert.deepEqual(job.params, { rate: Number.NaN, name: "NaN" });
  assert.deepEqual(job.metrics[0]?.values, { loss: Number.NaN });
  assert.partialDeepStrictEqual(jobToJson(job), { params: { rate: "NaN", name: "NaN" }, nonFiniteParams: ["/rate"] });
  assert.deepEqual(job.params, { rate: Number.NaN, name: "NaN" });

  const handle = await client.submitJob("p", "a");
  assert.deepEqual(await handle.result(), [Number.POSITIVE_INFINITY]);
  const seen: unknown[] = [];
  const printed: unknown[] = [];
  for await (const event of handle.events()) {
    seen.push(event.payload.value);
    printed.push(eventToJson(event));
  }
  assert.partialDeepStrictEqual(seen, [
    { values: { loss: Number.NaN, note: "NaN" } },
    { fields: { best: [Number.NEGATIVE_INFINITY] } },
  ]);
  assert.partialDeepStrictEqual(printed, [
    { metrics: { values: { loss: "NaN", note: "NaN" }, nonFinite: ["/loss"] } },
    { log: { fields: { best: ["-Infinity"] } } },
    { result: { value: "NaN", nonFinite: [""] } },
  ]);
  const verdict = await client.validateParams("p", "a");
  assert.deepEqual(verdict.params, { rate: Number.NaN });
  assert.partialDeepStrictEqual(verdictToJson(verdict), { params: { rate: "NaN" } });
});

test("what can be carried of a job's result is on its error", async () => {
  const error = {
    reason: "RESULT_INVALID",
    message: "m",
    partialResult: fromJson(ValueSchema, { loss: "NaN", model: null }),
    nonFinite: ["/loss"],
  };
  using server = await fakeServer([
    streaming(method.submitJob, async function* () {
      yield snapshot({ jobId: "j" });
    }),
    unary(method.getJob, async () => ({ job: { jobId: "j", error } })),
  ]);
  await using client = connect({ address: server.address });
  const job = await client.submitJob("p", "a");
  await assert.rejects(job.result(), (thrown) => {
    assert.ok(thrown instanceof RunnerError);
    assert.deepEqual(thrown.partialResult, { loss: Number.NaN, model: null });
    return true;
  });
  const found = (await client.getJob("j")).error;
  assert.deepEqual(found && partialResultOf(found), { loss: Number.NaN, model: null });
});
