import assert from "node:assert/strict";
import { mkdirSync, mkdtempSync, realpathSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, afterEach, before, describe, test } from "node:test";
import { create, type DescMessage, type MessageInitShape, toBinary } from "@bufbuild/protobuf";
import { BinaryWriter, WireType } from "@bufbuild/protobuf/wire";
import { status } from "@grpc/grpc-js";
import { PluginRunner, RunMode, type RunPluginRequestSchema } from "../../gen/ts/pluginrunner/v1/plugin_runner_pb.ts";
import type { RunnerError } from "../../src/client.ts";
import { CallersPort } from "../conformance/callers-port.ts";
import { collect } from "../conformance/run.ts";
import { fixtures, startServer, type TestServer } from "../support/server.ts";
import { expectDetails, isError, LonelyCall, RawCalls, refusal } from "./raw-calls.ts";

const { getJob, listJobs, listPlugins, runPlugin, submitJob, watchJob } = PluginRunner.method;

const scratch = realpathSync(mkdtempSync(join(tmpdir(), "plugin-runner-bad-input-")));
const root = join(scratch, "root");
const outside = join(scratch, "outside");

let server: TestServer;
let raw: RawCalls;

before(async () => {
  for (const folder of [root, join(outside, "secret")]) mkdirSync(folder, { recursive: true });
  writeFileSync(join(outside, "secret", "config.yaml"), "name: Secret\ncode: secret\n");
  writeFileSync(join(outside, "secret", "index.ts"), "export const run = () => 'secret';\n");
  symlinkSync(join(outside, "secret"), join(root, "linked"));
  server = await startServer({ roots: [fixtures, root], args: ["--grace", "500ms"] });
  raw = new RawCalls(server.address);
});

after(async () => {
  raw[Symbol.dispose]();
  await server[Symbol.asyncDispose]();
  rmSync(scratch, { recursive: true });
});

afterEach(async () => {
  assert.deepEqual(await server.client.runPlugin("javascript-values", "echo", { value: [1] }), [1]);
});

describe("a reference that leads out of the plugin roots is PATH_FORBIDDEN, in every call that takes one", () => {
  const references = {
    "an absolute path": join(outside, "secret"),
    "a path with ..": join(root, "..", "outside", "secret"),
    "a relative path with ..": "../outside/secret",
    "a config.yaml elsewhere": join(outside, "secret", "config.yaml"),
    "a symbolic link": join(root, "linked"),
    "a folder of the system": "/etc",
    "what is not there": "/nowhere/at/all",
  };
  for (const [what, reference] of Object.entries(references)) {
    test(what, async () => {
      const { client } = server;
      for (const call of [
        () => client.runPlugin(reference, "run"),
        () => client.submitJob(reference, "run"),
        () => client.validateParams(reference, "run"),
        () => client.getPlugin(reference),
      ]) {
        const error = await refusal(call());
        assert.deepEqual([error.reason, error.code], ["PATH_FORBIDDEN", status.PERMISSION_DENIED]);
        assert.equal(error.metadata.plugin, reference);
      }
    });
  }

  test("a link is not found by its code or its name either, and is not listed", async () => {
    for (const name of ["secret", "linked"]) {
      const { reason } = await refusal(server.client.runPlugin(name, "run"));
      assert.match(reason, /^(PLUGIN_NOT_FOUND|PATH_FORBIDDEN)$/);
    }
    const codes = (await collect(server.client.listPlugins())).map(({ code }) => code);
    assert.ok(!codes.includes("secret"));
  });

  test("an entrypoint does not lead out of its plugin", async () => {
    const entrypoints = {
      echo: ["os:system", "subprocess.run", "../secret:run", "./../../outside/secret/index.ts#run"],
      "javascript-values": ["./../../../outside/secret/index.ts#run", "/etc/passwd#run", "node:child_process#exec"],
    };
    for (const [plugin, all] of Object.entries(entrypoints)) {
      for (const entrypoint of all) {
        const error = await refusal(server.client.runPlugin(plugin, "", {}, { entrypoint }));
        assert.match(error.reason, /^(MODULE_FORBIDDEN|REQUEST_INVALID|PATH_FORBIDDEN)$/, entrypoint);
      }
    }
  });
});

describe("a malformed request is REQUEST_INVALID, with the field that is at fault", () => {
  const requests: Readonly<Record<string, [MessageInitShape<typeof RunPluginRequestSchema>, string]>> = {
    "no plugin": [{ plugin: "" }, "/plugin"],
    "no action": [{ action: "" }, "/action"],
    "a plugin of 5,000 characters": [{ plugin: "x".repeat(5000) }, "/plugin"],
    "a plugin with NUL": [{ plugin: "echo\0" }, "/plugin"],
    "an action with NUL": [{ action: "echo\0" }, "/action"],
    "an entrypoint with NUL": [{ entrypoint: "a:b\0" }, "/entrypoint"],
    "an entrypoint that is none": [{ entrypoint: "not one!" }, "/entrypoint"],
    "a job id with a slash": [{ jobId: "a/b" }, "/job_id"],
    "a request id of 129 characters": [{ requestId: "x".repeat(129) }, "/request_id"],
    "a timeout of nothing": [{ timeout: { seconds: 0n, nanos: 0 } }, "/timeout"],
    "a negative timeout": [{ timeout: { seconds: -1n, nanos: 0 } }, "/timeout"],
    "negative resources": [{ resources: { cpus: -1 } }, "/resources"],
    "resources that are no number": [{ resources: { gpus: Number.NaN } }, "/resources"],
    "more resources than there are": [{ resources: { cpus: 1e6 } }, "/resources"],
    "an unknown resource": [{ resources: { custom: { unobtainium: 1 } } }, "/resources"],
    "a variable without a name": [{ env: { "": "x" } }, "/env"],
    "300 variables": [{ env: Object.fromEntries(Array.from({ length: 300 }, (_, n) => [`A${n}`, ""])) }, "/env"],
    "a variable of 33 KiB": [{ env: { A: "x".repeat(33 * 1024) } }, "/env/A"],
  };
  for (const [what, [fields, field]] of Object.entries(requests)) {
    test(what, async () => {
      const request = { plugin: "javascript-values", action: "echo", params: { value: 1 }, ...fields };
      expectInvalid(await refusal(raw.unary(runPlugin, request)), field);
    });
  }

  test("ids and labels of jobs", async () => {
    for (const jobId of ["-a", "_a", "a b", "../a", "ü", "x".repeat(65), "a\n"]) {
      expectInvalid(await refusal(server.client.submitJob("echo", "echo", {}, { jobId })), "/job_id");
    }
    const many = Object.fromEntries(Array.from({ length: 65 }, (_, n) => [`l${n}`, ""]));
    for (const labels of [many, { "": "x" }, { ["x".repeat(64)]: "" }, { a: "x".repeat(257) }]) {
      expectInvalid(await refusal(server.client.submitJob("echo", "echo", {}, { labels })), "/labels");
    }
    expectInvalid(await refusal(raw.unary(getJob, { jobId: "" })), "/job_id");
    expectInvalid(await refusal(raw.stream(watchJob, { jobId: "a", afterSequence: -1n })), "/after_sequence");
  });

  test("pages that there are not", async () => {
    expectInvalid(await refusal(raw.unary(listJobs, { pageSize: -1 })), "/page_size");
    expectInvalid(await refusal(raw.unary(listPlugins, { pageSize: -1 })), "/page_size");
    for (const pageToken of ["nonsense", "W10", encoded([1, "x"]), encoded([1e300]), "ü\0", "x".repeat(10_000)]) {
      expectInvalid(await refusal(raw.unary(listJobs, { pageToken })), "/page_token");
      expectInvalid(await refusal(raw.unary(listPlugins, { pageToken })), "/page_token");
    }
    await raw.unary(listJobs, { pageSize: 2 ** 31 - 1 });
  });

  test("a page token with another filter than its own", async () => {
    const labels = { page: "1" };
    for (const _ of [1, 2]) await server.client.submitJob("javascript-values", "nothing", {}, { labels });
    const { nextPageToken: pageToken } = await raw.unary(listJobs, { pageSize: 1, filter: { labels } });
    const last = await raw.unary(listJobs, { pageToken, filter: { labels } });
    assert.deepEqual([last.jobs.length, last.nextPageToken], [1, ""]);
    const other = { pageToken, filter: { labels: { page: "2" } } };
    expectInvalid(await refusal(raw.unary(listJobs, other)), "/page_token");
  });
});

describe("bytes that are no request", () => {
  test("are refused with a status, and the connection goes on", async () => {
    for (const bytes of [
      Buffer.from("ffffffffffffffff", "hex"),
      Buffer.from([0x0a, 0xff, 0xff, 0xff, 0xff, 0x0f]),
      Buffer.from([0x0a, 0x02, 0xff, 0xfe]),
      Buffer.alloc(100_000, 0x0b),
    ]) {
      const outcome = await raw.send(bytes);
      assert.ok(isError(outcome));
      assert.equal(outcome.code, status.INVALID_ARGUMENT);
      expectDetails(outcome, "REQUEST_INVALID");
    }
  });

  test("that are fields of a later version are ignored", async () => {
    const request = bytesOf(runPlugin.input, { plugin: "javascript-values", action: "nothing" });
    const unknown = new BinaryWriter().tag(500, WireType.LengthDelimited).string("later").finish();
    const outcome = await raw.send(Buffer.concat([request, unknown]));
    assert.ok(!isError(outcome));
  });

  test("that are a mode of a later version are REQUEST_INVALID", async () => {
    const request = bytesOf(runPlugin.input, { plugin: "javascript-values", action: "nothing" });
    const outcome = await raw.send(
      Buffer.concat([request, new BinaryWriter().tag(4, WireType.Varint).int32(99).finish()]),
    );
    assert.ok(isError(outcome));
    expectDetails(outcome, "REQUEST_INVALID");
    assert.match(outcome.details, /^mode: .*99/);
  });

  test("that are more than the limit are REQUEST_INVALID, with the size, the limit and its option", async () => {
    const { limits } = await server.client.serverInfo();
    const limit = limits?.maxRequestBytes ?? 0;
    const outcome = await raw.send(Buffer.alloc(limit + 1, 0x0a));
    assert.ok(isError(outcome));
    expectDetails(outcome, "REQUEST_INVALID");
    assert.match(outcome.details, new RegExp(`${limit + 1} bytes; ${limit} is the limit .*--max-request-size`));
  });

  test("that are for a method that there is not are UNIMPLEMENTED", async () => {
    const outcome = await raw.send(Buffer.alloc(0), "/pluginrunner.v1.PluginRunner/RunPlugins");
    assert.ok(isError(outcome));
    assert.equal(outcome.code, status.UNIMPLEMENTED);
  });
});

describe("a client that vanishes", () => {
  test("in the middle of a run takes its run with it", async () => {
    await using port = await CallersPort.open();
    const request = { plugin: "python-endless", action: "polite", params: { port: port.number } };
    const call = new LonelyCall(server.address, runPlugin, bytesOf(runPlugin.input, request));
    const action = await port.connection();
    call[Symbol.dispose]();
    assert.equal(await action.closed, "tidied up\n");
  });

  test("in the middle of a stream leaves the job as it is", async () => {
    await using port = await CallersPort.open();
    const jobId = "left-alone";
    const request = { plugin: "javascript-endless", action: "waiting", params: { port: port.number }, jobId };
    const call = new LonelyCall(server.address, submitJob, bytesOf(submitJob.input, request));
    await call.answered();
    const action = await port.connection();
    call[Symbol.dispose]();
    action.send("go");
    const updates = await collect(server.client.watchJob(jobId));
    assert.equal(updates.at(-1)?.event?.payload.case, "result");
  });

  test("200 times, right after its call, leaves nothing behind", async () => {
    await using port = await CallersPort.open();
    const request = {
      plugin: "javascript-endless",
      action: "polite",
      params: { port: port.number },
      mode: RunMode.TASK,
    };
    for (let round = 0; round < 200; round++) {
      using call = new LonelyCall(server.address, runPlugin, bytesOf(runPlugin.input, request));
      await call.sent();
    }
    await server.client.runPlugin("javascript-endless", "ready", {}, { mode: "task" });
    for (let left = port.waiting; left > 0; left--) await (await port.connection()).closed;
  });
});

function bytesOf<Desc extends DescMessage>(desc: Desc, init: MessageInitShape<Desc>): Uint8Array {
  return toBinary(desc, create(desc, init));
}

function expectInvalid(error: RunnerError, field: string): void {
  assert.deepEqual([error.reason, error.code], ["REQUEST_INVALID", status.INVALID_ARGUMENT]);
  const [violation] = error.violations;
  assert.ok(violation?.field.startsWith(field), `${violation?.field}: ${violation?.description}`);
  assert.ok(error.message.length < 500);
}

function encoded(token: unknown): string {
  return Buffer.from(JSON.stringify(token)).toString("base64url");
}
