import assert from "node:assert/strict";
import { once } from "node:events";
import { createServer } from "node:net";
import { describe, test } from "node:test";
import { fromJson, type JsonObject } from "@bufbuild/protobuf";
import { ValueSchema } from "@bufbuild/protobuf/wkt";
import { status } from "@grpc/grpc-js";
import { JobState } from "../../gen/ts/pluginrunner/v1/job_pb.ts";
import {
  PluginRunner,
  RunMode,
  type RunPluginRequest,
  type SubmitJobRequest,
} from "../../gen/ts/pluginrunner/v1/plugin_runner_pb.ts";
import { ActionNotFoundError, connect, ExecutionError, RunnerError, ValidationError } from "../../src/client.ts";
import { PluginRunnerError } from "../../src/errors.ts";
import { BareStatus, fakeServer, snapshot, streaming, unary, untilGone } from "./fake-server.ts";

const { method } = PluginRunner;
const value = (json: string | number) => fromJson(ValueSchema, json);

async function failureOf(promise: Promise<unknown>): Promise<RunnerError> {
  const error: unknown = await promise.then(
    () => assert.fail("it succeeded"),
    (thrown) => thrown,
  );
  assert.ok(error instanceof RunnerError, String(error));
  return error;
}

describe("runPlugin()", () => {
  test("sends the request whole and resolves with the result as plain JSON", async () => {
    const requests: RunPluginRequest[] = [];
    using server = await fakeServer([
      unary(method.runPlugin, async (request, { token }) => {
        requests.push(request);
        assert.equal(token, "Bearer secret");
        return { result: fromJson(ValueSchema, { answer: [42, null] }) };
      }),
    ]);
    await using client = connect({ address: server.address, token: "secret" });
    const options = { mode: "task", env: { A: "1" }, actionCls: "m:C", jobId: "j1", timeoutMs: 1500 } as const;
    const result = await client.runPlugin("p", "a", { n: 10 }, { ...options, resources: { cpus: 2 } });
    assert.deepEqual(result, { answer: [42, null] });
    const [request] = requests;
    assert.deepEqual([request?.plugin, request?.action, request?.params], ["p", "a", { n: 10 }]);
    assert.deepEqual([request?.mode, request?.entrypoint, request?.env], [RunMode.TASK, "m:C", { A: "1" }]);
    assert.deepEqual([request?.jobId, request?.timeout?.seconds, request?.timeout?.nanos], ["j1", 1n, 500_000_000]);
    assert.equal(request?.resources?.cpus, 2);
  });

  test("resolves with null for an action that returns nothing", async () => {
    using server = await fakeServer([unary(method.runPlugin, async () => ({}))]);
    await using client = connect({ address: server.address });
    assert.equal(await client.runPlugin("p", "a"), null);
  });

  test("refuses what cannot be sent before it is, also from callers without types", async () => {
    await using client = connect({ address: "127.0.0.1:1" });
    const cycle: JsonObject = {};
    cycle.self = cycle;
    const untyped: [params: unknown, field: RegExp][] = [
      [cycle, /^\/params\/self$/],
      [{ n: 2n ** 53n }, /^\/params\/n$/],
      [{ list: [() => 1] }, /^\/params\/list\/0$/],
      [[1], /^\/params$/],
      ["text", /^\/params$/],
    ];
    for (const [params, field] of untyped) {
      await assert.rejects(Reflect.apply(client.runPlugin, client, ["p", "a", params]), (error) => {
        assert.ok(error instanceof ValidationError && error.reason === "REQUEST_INVALID");
        assert.match(error.violations[0]?.field ?? "", field);
        return true;
      });
    }
    const mistaken = Reflect.apply(client.runPlugin, client, ["p", "a", {}, { mode: "Task" }]);
    await assert.rejects(mistaken, { name: "ValidationError", reason: "REQUEST_INVALID" });
  });

  test("refuses a token that no header can carry, and does not say it", () => {
    assert.throws(
      () => connect({ token: "s3cret\n" }),
      (error) => {
        assert.ok(error instanceof ValidationError);
        assert.equal(error.violations[0]?.field, "/token");
        assert.doesNotMatch(String(error), /s3cret/);
        return true;
      },
    );
  });

  test("gives up a host that takes connections and then says nothing", async (t) => {
    const silent = createServer((socket) => t.after(() => socket.destroy())).listen(0, "127.0.0.1");
    t.after(() => silent.close());
    await once(silent, "listening");
    const address = silent.address();
    assert.ok(address !== null && typeof address === "object");
    await using client = connect({ address: `127.0.0.1:${address.port}`, connectTimeoutMs: 50 });
    for (const call of [() => client.runPlugin("p", "a"), () => client.submitJob("p", "a")]) {
      await assert.rejects(call(), {
        reason: "UNAVAILABLE",
        message: /No answer from 127\.0\.0\.1:\d+ within 0\.05 s/,
        isFinal: true,
      });
    }
  });

  test("repeats a call that was UNAVAILABLE under the same request id", async () => {
    const ids: string[] = [];
    using server = await fakeServer([
      unary(method.runPlugin, async ({ requestId }) => {
        if (ids.push(requestId) < 3) throw new BareStatus(status.UNAVAILABLE);
        return { result: value("done") };
      }),
    ]);
    await using client = connect({ address: server.address });
    assert.equal(await client.runPlugin("p", "a"), "done");
    assert.equal(ids.length, 3);
    assert.match(ids[0] ?? "", /^[0-9a-f]{32}$/);
    assert.equal(new Set(ids).size, 1);
    await client.runPlugin("p", "a");
    assert.equal(new Set(ids).size, 2);
  });

  test("waits as long as the service asks before it tries again", async () => {
    const times: number[] = [];
    using server = await fakeServer([
      unary(method.runPlugin, async () => {
        if (times.push(performance.now()) === 1) {
          throw new PluginRunnerError("ENGINE_UNAVAILABLE", "later", { retryAfterMs: 300 });
        }
        return {};
      }),
    ]);
    await using client = connect({ address: server.address });
    await client.runPlugin("p", "a");
    assert.ok((times[1] ?? 0) - (times[0] ?? 0) >= 300);
  });

  test("does not repeat a call that failed otherwise", async () => {
    let calls = 0;
    using server = await fakeServer([
      unary(method.runPlugin, async () => {
        calls += 1;
        throw new PluginRunnerError("OVERLOADED", "full", { retryAfterMs: 50 });
      }),
    ]);
    await using client = connect({ address: server.address });
    const error = await failureOf(client.runPlugin("p", "a"));
    assert.deepEqual([error.reason, error.code, error.retryAfterMs], ["OVERLOADED", status.RESOURCE_EXHAUSTED, 50]);
    assert.equal(calls, 1);
  });

  test("rejects with the signal's reason, and the server sees the call end", async () => {
    const started = Promise.withResolvers<void>();
    using server = await fakeServer([
      unary(method.runPlugin, () => {
        started.resolve();
        return new Promise(() => {});
      }),
    ]);
    await using client = connect({ address: server.address });
    const stop = new AbortController();
    const run = client.runPlugin("p", "a", {}, { signal: stop.signal });
    await started.promise;
    stop.abort(new Error("enough"));
    await assert.rejects(run, { message: "enough" });
    await assert.rejects(client.runPlugin("p", "a", {}, { signal: stop.signal }), { message: "enough" });
  });

  test("in mode job resolves with the job's id as soon as the snapshot came", async () => {
    using server = await fakeServer([
      streaming(method.submitJob, async function* ({ jobId }, signal) {
        yield snapshot({ jobId });
        await untilGone(signal);
      }),
    ]);
    await using client = connect({ address: server.address });
    const id: string = await client.runPlugin("p", "a", {}, { mode: "job", jobId: "my-job" });
    assert.equal(id, "my-job");
  });
});

describe("errors", () => {
  const cases = [
    ["PLUGIN_NOT_FOUND", ActionNotFoundError, status.NOT_FOUND],
    ["ACTION_NOT_FOUND", ActionNotFoundError, status.NOT_FOUND],
    ["PARAMS_INVALID", ValidationError, status.INVALID_ARGUMENT],
    ["REQUEST_INVALID", ValidationError, status.INVALID_ARGUMENT],
    ["ACTION_FAILED", ExecutionError, status.UNKNOWN],
    ["JOB_NOT_FOUND", ExecutionError, status.NOT_FOUND],
  ] as const;

  for (const [reason, errorClass, code] of cases) {
    test(`${reason} arrives as ${errorClass.name}`, async () => {
      using server = await fakeServer([
        unary(method.runPlugin, async () => {
          throw new PluginRunnerError(reason, "It went wrong.", {
            metadata: { plugin: "p" },
            violations: [{ field: "/params/n", description: "must be a number", rule: "type" }],
            exceptionType: "ValueError",
            pluginStack: "line 1\nline 2",
          });
        }),
      ]);
      await using client = connect({ address: server.address });
      const error = await failureOf(client.runPlugin("p", "a"));
      assert.ok(error instanceof errorClass);
      assert.deepEqual([error.name, error.reason, error.code], [errorClass.name, reason, code]);
      assert.equal(error.message, "It went wrong.");
      assert.deepEqual(error.metadata, { plugin: "p" });
      assert.deepEqual(error.violations, [{ field: "/params/n", description: "must be a number", rule: "type" }]);
      assert.deepEqual([error.exceptionType, error.pluginStack], ["ValueError", "line 1\nline 2"]);
    });
  }

  test("a server that is not there is UNAVAILABLE, and the message names the address", async () => {
    const { address } = await closedServer();
    await using client = connect({ address });
    const error = await failureOf(client.runPlugin("p", "a"));
    assert.ok(error instanceof ExecutionError);
    assert.equal(error.reason, "UNAVAILABLE");
    assert.match(error.message, new RegExp(`^No answer from ${address}: `));
  });

  test("a status that a proxy made is no word of the service", async () => {
    using server = await fakeServer([
      unary(method.getServerInfo, async () => {
        throw new BareStatus(status.PERMISSION_DENIED, "no entry");
      }),
    ]);
    await using client = connect({ address: server.address });
    const error = await failureOf(client.serverInfo());
    assert.deepEqual([error.reason, error.metadata.status], ["FORBIDDEN", "PERMISSION_DENIED"]);
    assert.match(error.message, /no entry$/);
  });
});

describe("submitJob()", () => {
  test("chooses an id, so that a cut submission attaches to the same job", async () => {
    const requests: SubmitJobRequest[] = [];
    using server = await fakeServer([
      streaming(method.submitJob, async function* (request) {
        if (requests.push(request) === 1) return;
        if (requests.length === 2) throw new BareStatus(status.UNAVAILABLE);
        yield snapshot({ jobId: request.jobId, state: JobState.PENDING });
      }),
    ]);
    await using client = connect({ address: server.address });
    const job = await client.submitJob("p", "a", { n: 1 }, { labels: { team: "x" } });
    assert.equal(requests.length, 3);
    assert.deepEqual(new Set(requests.map(({ jobId }) => jobId)), new Set([job.id]));
    assert.deepEqual(requests[2]?.labels, { team: "x" });
    assert.equal(job.snapshot.state, JobState.PENDING);
  });
});

describe("listJobs()", () => {
  test("walks through the pages as they are asked for", async () => {
    const tokens: string[] = [];
    using server = await fakeServer([
      unary(method.listJobs, async ({ pageToken, filter }) => {
        tokens.push(pageToken);
        assert.deepEqual(filter?.states, [JobState.FAILED]);
        const jobs = [{ jobId: `${pageToken}1` }, { jobId: `${pageToken}2` }];
        return { jobs, nextPageToken: pageToken === "" ? "b" : "" };
      }),
    ]);
    await using client = connect({ address: server.address });
    const filter = { states: [JobState.FAILED] };
    const ids: string[] = [];
    for await (const { jobId } of client.listJobs(filter)) ids.push(jobId);
    assert.deepEqual(ids, ["1", "2", "b1", "b2"]);
    tokens.length = 0;
    for await (const job of client.listJobs(filter)) if (job.jobId === "2") break;
    assert.deepEqual(tokens, [""]);
  });
});

async function closedServer() {
  using server = await fakeServer([]);
  return { address: server.address };
}
