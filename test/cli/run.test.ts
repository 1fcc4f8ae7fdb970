import assert from "node:assert/strict";
import { mkdtempDisposableSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, test } from "node:test";
import { fromJson } from "@bufbuild/protobuf";
import { ValueSchema } from "@bufbuild/protobuf/wkt";
import { PluginRunner, RunMode, type RunPluginRequest } from "../../gen/ts/pluginrunner/v1/plugin_runner_pb.ts";
import { exitCodes } from "../../src/cli/exit-codes.ts";
import { PluginRunnerError, type Reason, reasons } from "../../src/errors.ts";
import { fakeServer, refused, snapshot, streaming, unary } from "../grpc/fake-server.ts";
import { command } from "./command.ts";

const { method } = PluginRunner;

/** Runs a command against a server that answers every run in the same way, and returns the request that it got. */
async function request(args: string[], stdin?: string): Promise<RunPluginRequest | undefined> {
  const requests: RunPluginRequest[] = [];
  using server = await fakeServer([
    unary(method.runPlugin, async (each) => {
      requests.push(each);
      return {};
    }),
  ]);
  const { address } = server;
  const { code, err } = await command(["run", ...args], { address, ...(stdin !== undefined && { stdin }) });
  assert.equal(code, 0, err);
  return requests[0];
}

describe("run", () => {
  test("types params by JSON where they parse, and lets --param win over --params", async () => {
    const flags = [
      "--param",
      "n=10",
      "--param",
      "name=Ada",
      "--param",
      "list=[1]",
      "--param",
      "text=a=b",
      "--param",
      'q="5"',
    ];
    const sent = await request(["p", "a", ...flags, "--params", '{"n": 1, "m": 2}']);
    assert.deepEqual(sent?.params, { n: 10, m: 2, name: "Ada", list: [1], text: "a=b", q: "5" });
  });

  test("reads params from a file and from standard input", async () => {
    using folder = mkdtempDisposableSync(join(tmpdir(), "plugin-runner-"));
    writeFileSync(join(folder.path, "params.json"), '{"from": "file"}');
    const file = await request(["p", "a", "--params", `@${join(folder.path, "params.json")}`]);
    assert.deepEqual(file?.params, { from: "file" });
    assert.deepEqual((await request(["p", "a", "--params", "-"], '{"from": "stdin"}'))?.params, { from: "stdin" });
  });

  test("sends mode, entry point, environment, timeout and resources", async () => {
    const flags = ["--mode", "task", "--entrypoint", "m:C", "--env", "A=1", "--timeout", "1m30s"];
    const sent = await request(["p", ...flags, "--cpus", "1.5", "--memory", "1GiB", "--job-id", "j"]);
    assert.deepEqual([sent?.mode, sent?.entrypoint, sent?.env], [RunMode.TASK, "m:C", { A: "1" }]);
    assert.deepEqual([sent?.timeout?.seconds, sent?.jobId], [90n, "j"]);
    assert.deepEqual([sent?.resources?.cpus, sent?.resources?.memoryMib], [1.5, 1024]);
  });

  test("prints the result as JSON, on standard output alone", async () => {
    using server = await fakeServer([
      unary(method.runPlugin, async (_, { token }) => ({ result: fromJson(ValueSchema, { token: token ?? "" }) })),
    ]);
    const { address } = server;
    const plain = await command(["run", "p", "a"], { address, token: "secret" });
    assert.deepEqual(plain, { code: 0, out: '{\n  "token": "Bearer secret"\n}\n', err: "" });
    const json = await command(["run", "p", "a", "--json"], { address });
    assert.deepEqual(json, { code: 0, out: '{"result":{"token":""}}\n', err: "" });
  });

  test("refuses integers that a number cannot hold, with a pointer to them, before anything is sent", async () => {
    for (const args of [
      ["--param", "n=9007199254740993"],
      ["--params", '{"n": 9007199254740993}'],
    ]) {
      const { code, err } = await command(["run", "p", "a", ...args]);
      assert.equal(code, 4);
      assert.match(err, /\/params\/n cannot be sent as JSON: integer beyond 2\^53/);
    }
  });

  test("takes and shows numbers that JSON has no literal for", async () => {
    const sent = await request(["p", "a", "--param", "best=-Infinity", "--param", 'text="NaN"']);
    assert.deepEqual([sent?.params, sent?.nonFinite], [{ best: "-Infinity", text: "NaN" }, ["/best"]]);
    const result = fromJson(ValueSchema, { loss: "NaN", text: "NaN", list: [], nested: [{}] });
    using server = await fakeServer([unary(method.runPlugin, async () => ({ result, nonFinite: ["/loss"] }))]);
    const { address } = server;
    const plain = await command(["run", "p", "a"], { address });
    assert.equal(plain.out, '{\n  "loss": NaN,\n  "text": "NaN",\n  "list": [],\n  "nested": [\n    {}\n  ]\n}\n');
    const json = JSON.parse((await command(["run", "p", "a", "--json"], { address })).out);
    assert.deepEqual(json, { result: { loss: "NaN", text: "NaN", list: [], nested: [{}] }, nonFinite: ["/loss"] });
  });

  test("prints -0.0 as such, also with --json", async () => {
    const result = fromJson(ValueSchema, { loss: -0 });
    using server = await fakeServer([unary(method.runPlugin, async () => ({ result }))]);
    const { address } = server;
    assert.equal((await command(["run", "p", "a"], { address })).out, '{\n  "loss": -0.0\n}\n');
    assert.equal((await command(["run", "p", "a", "--json"], { address })).out, '{"result":{"loss":-0.0}}\n');
  });

  test("reads a file of YAML", async () => {
    using folder = mkdtempDisposableSync(join(tmpdir(), "plugin-runner-"));
    writeFileSync(join(folder.path, "params.yaml"), "rate: .nan\nn: 5\n");
    const sent = await request(["p", "a", "--params", `@${join(folder.path, "params.yaml")}`]);
    assert.deepEqual([sent?.params, sent?.nonFinite], [{ rate: "NaN", n: 5 }, ["/rate"]]);
  });

  test("shows what the action does not use of its params, and says why it may take long", async () => {
    using server = await fakeServer([
      unary(method.runPlugin, async () => {
        await said.promise;
        return { warnings: [{ field: "/params/epoch", description: 'is not used; did you mean "epochs"?' }] };
      }),
    ]);
    const said = Promise.withResolvers<void>();
    const onErr = (text: string) => text.includes("The first call of a plugin installs") && said.resolve();
    const { code, err } = await command(["run", "p", "a"], { address: server.address, onErr });
    assert.equal(code, 0);
    assert.match(
      err,
      /^Waiting for the service\..*\nwarning: \/params\/epoch: is not used; did you mean "epochs"\?\n$/,
    );
  });

  test("with --logs shows on standard error what the action writes, up to the run's end", async () => {
    const ids: string[] = [];
    const watched = Promise.withResolvers<void>();
    using server = await fakeServer([
      streaming(method.watchRun, async function* ({ requestId }) {
        ids.push(requestId);
        yield { events: [{ sequence: 1n, payload: { case: "log" as const, value: { message: "one" } } }] };
        yield {};
        watched.resolve();
        yield { events: [{ sequence: 2n, payload: { case: "log" as const, value: { message: "two" } } }] };
      }),
      unary(method.runPlugin, async ({ requestId }) => {
        ids.push(requestId);
        await watched.promise;
        return { result: fromJson(ValueSchema, 1) };
      }),
    ]);
    const { address } = server;
    assert.deepEqual(await command(["run", "p", "a", "--logs"], { address }), {
      code: 0,
      out: "1\n",
      err: "one\ntwo\n",
    });
    assert.equal(new Set(ids).size, 1);
    assert.equal((await command(["run", "p", "a", "--logs", "--mode", "job"], { address })).code, 2);
  });

  test("with --logs ends with the error of a run that was refused, and no other", async () => {
    using server = await fakeServer([
      streaming(method.watchRun, refused(new PluginRunnerError("RUN_NOT_FOUND", "No such run."))),
      unary(method.runPlugin, async () => {
        throw new PluginRunnerError("PLUGIN_NOT_FOUND", "No such plugin.");
      }),
    ]);
    const { code, err } = await command(["run", "p", "a", "--logs"], { address: server.address });
    assert.deepEqual([code, err], [3, "error: No such plugin. [PLUGIN_NOT_FOUND]\n"]);
  });

  test("in mode job prints the id", async () => {
    using server = await fakeServer([
      streaming(method.submitJob, async function* ({ jobId }) {
        yield snapshot({ jobId });
      }),
    ]);
    const args = ["run", "p", "a", "--mode", "job", "--job-id", "j1"];
    assert.equal((await command(args, { address: server.address })).out, "j1\n");
    assert.equal((await command([...args, "--json"], { address: server.address })).out, '{"jobId":"j1"}\n');
  });
});

describe("errors", () => {
  async function failWith(error: PluginRunnerError, args: string[] = []) {
    using server = await fakeServer([
      unary(method.runPlugin, async () => {
        throw error;
      }),
    ]);
    return await command(["run", "p", "a", ...args], { address: server.address });
  }

  test("show the reason, every violation and the plugin's stack, with its escapes neutralised", async () => {
    const violations = [{ field: "/params/n", description: "must be a number", rule: "type" }];
    const error = new PluginRunnerError("ACTION_FAILED", "It \x1b[31mfailed.", {
      violations,
      pluginStack: "line 1\n\x07",
    });
    const { code, out, err } = await failWith(error);
    assert.deepEqual([code, out], [1, ""]);
    assert.equal(err, "error: It \\x1b[31mfailed. [ACTION_FAILED]\n  /params/n: must be a number\n\nline 1\n\\x07\n");
  });

  test("of a token that is missing name the flag, and of options that cannot be used as well", async () => {
    const { err } = await failWith(new PluginRunnerError("UNAUTHENTICATED", "No token."));
    assert.match(err, /--token-file FILE, or set PLUGIN_RUNNER_TOKEN\.\n$/);
    const url = await command(["run", "p", "a", "--address", "https://a:1"]);
    assert.equal(url.code, 2);
    assert.match(url.err, /^error: --address is https:\/\/a:1, a URL: give it as host:port; TLS is chosen with/);
    const key = await command(["run", "p", "a", "--tls-key", import.meta.filename]);
    assert.deepEqual([key.code, key.err], [2, "error: --tls-cert is missing: a key needs its certificate.\n"]);
    const ca = await command(["run", "p", "a", "--tls-ca", import.meta.filename]);
    assert.match(ca.err, /^error: --tls-ca holds no PEM text/);
  });

  test("come as one document with --json", async () => {
    const { out } = await failWith(new PluginRunnerError("OVERLOADED", "Full.", { retryAfterMs: 250 }), ["--json"]);
    const { error } = JSON.parse(out);
    assert.deepEqual([error.reason, error.message, error.retryAfterMs], ["OVERLOADED", "Full.", 250]);
  });

  const expected: Partial<Record<Reason, number>> = {
    PLUGIN_NOT_FOUND: 3,
    PARAMS_INVALID: 4,
    ENGINE_UNAVAILABLE: 5,
    STORAGE_UNAVAILABLE: 5,
    OVERLOADED: 6,
    PATH_FORBIDDEN: 7,
    DEADLINE: 8,
    CANCELLED: 9,
    JOB_ID_CONFLICT: 10,
    ACTION_FAILED: 1,
  };

  for (const reason of reasons) {
    test(`${reason} has a documented exit code`, async () => {
      const { code } = await failWith(new PluginRunnerError(reason, "No."));
      assert.ok(exitCodes.some(([documented]) => documented === code) && code !== 0);
      if (expected[reason] !== undefined) assert.equal(code, expected[reason]);
    });
  }
});
