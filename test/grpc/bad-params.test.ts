import assert from "node:assert/strict";
import { after, afterEach, before, test } from "node:test";
import { status } from "@grpc/grpc-js";
import { startServer, type TestServer } from "../support/server.ts";
import { expectDetails, isError, numberValue, RawCalls, refusal, runRequest, structWith } from "./raw-calls.ts";

const plugin = "javascript-values";

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

afterEach(async () => {
  assert.deepEqual(await server.client.runPlugin(plugin, "echo", { value: {} }), {});
});

test("a param called __proto__ is PARAMS_INVALID, at the top and below", async () => {
  const polluted = structWith("polluted", numberValue(1));
  for (const request of [
    runRequest(plugin, "nothing", "__proto__", polluted),
    runRequest(plugin, "echo", "value", structWith("__proto__", polluted)),
  ]) {
    const outcome = await raw.send(request);
    assert.ok(isError(outcome));
    assert.equal(outcome.code, status.INVALID_ARGUMENT);
    expectDetails(outcome, "PARAMS_INVALID");
    assert.match(outcome.details, /__proto__/);
  }
});

test("params called constructor and prototype are names like others", async () => {
  const value = { constructor: 1, prototype: { toString: "text" } };
  for (const mode of ["local", "task"] as const) {
    assert.deepEqual(await server.client.runPlugin(plugin, "echo", { value }, { mode }), value);
    assert.deepEqual(await server.client.runPlugin("python-values", "echo", { value }, { mode }), value);
  }
});

test("nesting deeper than decoders take is PARAMS_INVALID, and far deeper a status too", async () => {
  for (const depth of [46, 100, 1_000, 5_000]) {
    let value = numberValue(1);
    for (let level = 0; level < depth; level++) value = structWith("a", value);
    const outcome = await raw.send(runRequest(plugin, "echo", "value", value));
    assert.ok(isError(outcome));
    assert.equal(outcome.code, status.INVALID_ARGUMENT, `${depth}: ${outcome.details}`);
    if (depth > 46) continue;
    expectDetails(outcome, "PARAMS_INVALID");
    assert.match(outcome.details, /deep/);
  }
});

test("of 10,000 faults the first are told, and all are counted", async () => {
  const params = { epochs: 1, optimizer: "sgd", tags: Array.from({ length: 10_000 }, () => 5) };
  for (const name of ["javascript-params", "python-params"]) {
    const error = await refusal(server.client.runPlugin(name, "configured", params));
    assert.equal(error.reason, "PARAMS_INVALID");
    assert.equal(error.metadata.violations_total, "10000");
    assert.ok(error.violations.length > 0 && error.violations.length <= 100);
  }
});

test("long texts, and what terminals obey, do not stand in the way of an error", async () => {
  for (const optimizer of ["x".repeat(100_000), "\x1b[31m\r\n\0", "ü😀".repeat(5_000)]) {
    const params = { epochs: 1, optimizer };
    const error = await refusal(server.client.runPlugin("javascript-params", "configured", params));
    assert.equal(error.reason, "PARAMS_INVALID");
  }
  for (const name of ["x".repeat(4000), "\x1b[31m", "ü".repeat(2000), "a\r\nb"]) {
    const error = await refusal(server.client.runPlugin("echo", name));
    assert.equal(error.reason, "ACTION_NOT_FOUND");
    assert.match((await refusal(server.client.runPlugin(name, "echo"))).reason, /^(PLUGIN_NOT_FOUND|REQUEST_INVALID)$/);
  }
});
