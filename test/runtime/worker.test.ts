import assert from "node:assert/strict";
import { once } from "node:events";
import { existsSync } from "node:fs";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import type { WorkerAnswer } from "../../src/worker/messages.ts";
import { bindingOf, runOf, TestWorker } from "./support/worker.ts";

const behaviour = bindingOf("behaviour");

function bound(binding = behaviour): TestWorker {
  const worker = new TestWorker();
  worker.bind(binding);
  return worker;
}

function errorOf(answer: WorkerAnswer) {
  assert.equal(answer.ok, false);
  return answer.error;
}

test("a worker says ready first", async () => {
  await using worker = new TestWorker();
  const { version, pid } = { version: process.version.slice(1), pid: worker.process.pid };
  assert.deepEqual(await worker.next(), { type: "ready", protocol: 1, pid, runtime: `node ${version}` });
});

test("a worker exits when its descriptor ends", async () => {
  await using worker = bound();
  await worker.run("echo");
  assert.equal(await worker.end(), 0);
});

test("a run answers with the action's result", async () => {
  await using worker = bound();
  assert.deepEqual(await worker.run("greet", { name: "Ada", times: 1 }), { id: 1, ok: true, value: "Hello Ada" });
  assert.deepEqual(await worker.run("plain", { a: 1 }), { id: 2, ok: true, value: { plain: { a: 1 } } });
});

test("requests are answered one at a time, in order", async () => {
  await using worker = bound();
  for (let n = 1; n <= 20; n++) worker.request(runOf("echo", { n }));
  for (let n = 1; n <= 20; n++) assert.deepEqual(await worker.answer(), { id: n, ok: true, value: { n } });
});

test("params and results of several megabytes arrive whole", async () => {
  await using worker = bound();
  const params = { text: "ä".repeat(3_000_000) };
  assert.deepEqual(await worker.run("echo", params), { id: 1, ok: true, value: params });
});

test("an exception is answered with its type, message and stack, and the worker goes on", async () => {
  await using worker = bound();
  const error = errorOf(await worker.run("fail"));
  assert.equal(error.reason, "ACTION_FAILED");
  assert.equal(error.exception_type, "TypeError");
  assert.equal(error.message, "Action fail failed with TypeError: boom");
  assert.match(error.stack ?? "", /TypeError: boom\n {4}at .*behaviour\/index\.ts:\d+:\d+\)?\n\[cause\] Error: deep\n/);
  assert.doesNotMatch(error.stack ?? "", /src\/runtime|node:internal/);
  assert.equal((await worker.run("echo")).ok, true);
});

test("something thrown that is no Error is answered as well", async () => {
  await using worker = bound();
  const error = errorOf(await worker.run("failWithString"));
  assert.deepEqual([error.reason, error.exception_type, error.stack], ["ACTION_FAILED", "string", ""]);
  assert.match(error.message, /just text/);
});

for (const [action, type, message] of [
  ["exit", "ProcessExit", /called process\.exit\(7\)/],
  ["stray", "RangeError", /from a timer/],
  ["strayRejection", "RangeError", /nobody waits/],
] as const) {
  test(`${action}: what would end the process fails the run, and the worker goes on`, async () => {
    await using worker = bound();
    const error = errorOf(await worker.run(action));
    assert.equal(error.reason, "ACTION_FAILED");
    assert.equal(error.exception_type, type);
    assert.match(error.message, message);
    assert.deepEqual(await worker.run("echo", { still: "here" }), { id: 2, ok: true, value: { still: "here" } });
  });
}

test("a fault that no run can be named for ends the worker once the run under way is over", async () => {
  const root = fileURLToPath(new URL("../fixtures/plugins/javascript/strays", import.meta.url));
  await using worker = bound(bindingOf(root));
  assert.deepEqual(await worker.run("unowned"), { id: 1, ok: true, value: "innocent", spent: true });
});

test("a result that has no JSON is answered with the pointers to its faults, and with the rest of it", async () => {
  await using worker = bound();
  const error = errorOf(await worker.run("halfUsable"));
  assert.equal(error.reason, "RESULT_INVALID");
  assert.deepEqual(error.metadata, {
    field: "/deep/0/run",
    fields: '["/deep/0/run","/later"]',
    type: "function",
  });
  assert.deepEqual(error.partial_result, { deep: [{ run: null, loss: "NaN" }], later: null });
  assert.deepEqual(error.non_finite, ["/deep/0/loss"]);
});

test("a cancel aborts the run that it names", async () => {
  await using worker = bound();
  const id = worker.request(runOf("wait"));
  assert.ok(worker.process.stdout);
  await once(worker.process.stdout, "data");
  worker.send({ type: "cancel", id });
  assert.equal(errorOf(await worker.answer()).reason, "CANCELLED");
});

test("a cancel of a run that still waits keeps it from starting", async () => {
  await using worker = bound();
  const first = worker.request(runOf("wait"));
  const second = worker.request(runOf("greet", { name: "nobody" }));
  assert.ok(worker.process.stdout);
  await once(worker.process.stdout, "data");
  worker.send({ type: "cancel", id: second });
  worker.send({ type: "cancel", id: first });
  assert.equal(errorOf(await worker.answer()).reason, "CANCELLED");
  const answer = await worker.answer();
  assert.deepEqual([answer.id, errorOf(answer).reason], [second, "CANCELLED"]);
});

test("a run's environment lies over the binding's while it runs", async () => {
  await using worker = bound({ ...behaviour, env: { A: "plugin", B: "plugin" } });
  const first = await worker.run("environment", {}, { B: "run" });
  const merged = { A: "plugin", B: "run" };
  assert.deepEqual(first, { id: 1, ok: true, value: { ctx: merged, process: merged } });
  const plain = { A: "plugin", B: "plugin" };
  assert.deepEqual(await worker.run("environment"), { id: 2, ok: true, value: { ctx: plain, process: plain } });
});

test("every call starts as the first", async () => {
  await using worker = bound();
  const first = await worker.run("look");
  assert.ok(first.ok);
  for (let round = 0; round < 2; round++) {
    assert.equal((await worker.run("changeAll")).ok, true);
    const looked = await worker.run("look", {}, { LEAK: "given" });
    assert.deepEqual(looked.ok && looked.value, {
      cwd: behaviour.root,
      variables: ["given", "stays", null],
      zone: "UTC",
      isPrivate: false,
    });
    const again = await worker.run("look");
    assert.deepEqual(again.ok && again.value, first.value);
  }
});

test("a run that ends in a directory that is gone is answered, and the next starts where all start", async () => {
  await using worker = bound();
  assert.equal((await worker.run("standNowhere")).ok, true);
  const looked = await worker.run("look");
  assert.deepEqual(looked.ok && Reflect.get(Object(looked.value), "cwd"), behaviour.root);
});

test("a run of a plugin whose directory is gone is told so, and is the worker's last", async () => {
  await using worker = bound(bindingOf("/nowhere/at/all"));
  const answer = await worker.run("look");
  const { reason, metadata } = errorOf(answer);
  assert.deepEqual([reason, metadata, answer.spent], ["PLUGIN_INVALID", { root: "/nowhere/at/all" }, true]);
});

test("a run has a directory of its own that is empty at first and goes with it", async () => {
  await using worker = bound();
  const runs = [await worker.run("ownFiles"), await worker.run("ownFiles")];
  const directories = runs.map((answer) => answer.ok && String(answer.value));
  assert.equal(new Set(directories).size, 2);
  for (const directory of directories) assert.equal(existsSync(String(directory)), false);
});

test("a run whose promise never settles ends when nothing is left that could wake it", async () => {
  await using worker = bound();
  const error = errorOf(await worker.run("never"));
  assert.equal(error.reason, "ACTION_FAILED");
  assert.match(error.message, /never settles/);
  assert.equal((await worker.run("look")).ok, true);
});

test("what a run logs goes to standard error, and nothing but answers to the descriptor", async () => {
  await using worker = bound();
  assert.ok(worker.process.stderr);
  const logged = once(worker.process.stderr, "data");
  const answer = await worker.run("report");
  const value = { jobId: "job-1", workDir: "/tmp/plugin-runner-test-work/1" };
  assert.deepEqual(answer, { id: 1, ok: true, value });
  assert.equal(String((await logged)[0]), "WARNING careful at=1970-01-01T00:00:00.000Z\n");
});

test("a schema comes as deep as clients can read it, with its numbers", async () => {
  await using worker = bound();
  worker.request({ type: "describe", entrypoints: { deep: "./index.ts#deep" } });
  const answer = await worker.answer();
  assert.ok(answer.ok);
  assert.match(JSON.stringify(answer.value), /"params_schema":(\{"not":){29}\{"default":"Infinity"\}/);
  assert.deepEqual(answer.non_finite, [`/0/params_schema${"/not".repeat(29)}/default`]);
});

test("describe and validate are answered, scan is refused", async () => {
  await using worker = bound();
  worker.request({ type: "describe", entrypoints: { greet: "./index.ts" } });
  const described = await worker.answer();
  assert.ok(described.ok && Array.isArray(described.value));
  assert.equal(described.value.length, 1);
  worker.request({ type: "validate", entrypoint: "./index.ts#greet", params: { name: "x", times: 1 }, env: {} });
  assert.deepEqual(await worker.answer(), { id: 2, ok: true, value: { name: "x", times: 1 } });
  worker.request({ type: "scan", root: "/", module: "" });
  assert.equal(errorOf(await worker.answer()).reason, "INTERNAL");
});
