import assert from "node:assert/strict";
import { test } from "node:test";
import { PluginRunnerError } from "../../src/errors.ts";
import { startTime } from "../../src/util/process.ts";
import { NotStarted } from "../../src/worker/worker-process.ts";
import { answerOf, bindingOf, forever, run, startStub } from "./stub.ts";

test("requests are answered in order, and a plugin's failure costs the worker nothing", async (t) => {
  const worker = startStub(t);
  await worker.ready;
  worker.bind(bindingOf("bound"), "/");
  const answers = await Promise.allSettled([
    answerOf(worker.request(run("echo", { a: 1 }), forever)),
    worker.request(run("fail"), forever),
    answerOf(worker.request(run("binding"), forever)),
  ]);
  assert.deepEqual(answers[0], { status: "fulfilled", value: { a: 1 } });
  assert.ok(answers[1].status === "rejected" && isError(answers[1].reason, "ACTION_FAILED"));
  assert.equal(answers[1].reason.pluginStack, "at plugin");
  assert.deepEqual(answers[2], { status: "fulfilled", value: "bound" });
  assert.equal(worker.load, 0);
});

test("an exit loses the request that ran, with the last words, and gives back those that had not started", async (t) => {
  const worker = startStub(t);
  await worker.ready;
  const lost = worker.request(run("exit"), forever);
  const waiting = worker.request(run("echo"), forever);
  await assert.rejects(waiting, NotStarted);
  await assert.rejects(lost, (error) => {
    assert.ok(isError(error, "WORKER_LOST"));
    assert.deepEqual(error.metadata, { started: "true", exit_code: "3", stderr_tail: "last words" });
    return true;
  });
  assert.equal(worker.alive, false);
  await assert.rejects(worker.request(run("echo"), forever), NotStarted);
});

test("an aborted request rejects at once, and its worker goes on when the action heeds it", async (t) => {
  const worker = startStub(t);
  await worker.ready;
  const abort = new AbortController();
  const request = worker.request(run("wait"), abort.signal);
  abort.abort(new Error("enough"));
  await assert.rejects(request, /enough/);
  assert.equal(worker.load, 1);
  assert.deepEqual(await answerOf(worker.request(run("echo", { a: 1 }), forever)), { a: 1 });
});

test("an action that does not heed the cancel is killed after the grace, and what waited behind it is given back", async (t) => {
  const worker = startStub(t, { graceMs: 50 });
  await worker.ready;
  const abort = new AbortController();
  const request = worker.request(run("deaf"), abort.signal);
  const behind = worker.request(run("echo"), forever);
  abort.abort(new Error("enough"));
  await assert.rejects(request, /enough/);
  await assert.rejects(behind, NotStarted);
  await worker.exited;
  assert.equal(startTime(worker.pid ?? 0), undefined);
});

test("a cancel that was answered while this process was held up costs the next request nothing", async (t) => {
  const worker = startStub(t, { graceMs: 200 });
  await worker.ready;
  const [first, second] = [new AbortController(), new AbortController()];
  const request = worker.request(run("wait"), first.signal);
  const next = worker.request(run("wait"), second.signal);
  first.abort(new Error("enough"));
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 1000); // nothing is read, and the grace is over
  await assert.rejects(request, /enough/);
  await new Promise<void>((answered) => {
    worker.onAnswer = answered;
  });
  second.abort(new Error("enough"));
  await assert.rejects(next, /enough/);
  assert.deepEqual(await answerOf(worker.request(run("echo", { a: 1 }), forever)), { a: 1 });
});

test("a cancel of what has not started yet does not end what runs", async (t) => {
  const worker = startStub(t, { graceMs: 50 });
  await worker.ready;
  const ends = new AbortController();
  const running = worker.request(run("wait"), ends.signal);
  const abort = new AbortController();
  const behind = worker.request(run("deaf"), abort.signal);
  const last = worker.request(run("echo"), forever);
  abort.abort(new Error("enough"));
  await assert.rejects(behind, /enough/);
  assert.equal(worker.load, 3);
  ends.abort(new Error("over"));
  await assert.rejects(running, /over/);
  // Now it is the turn of the cancelled one, which is deaf.
  await assert.rejects(last, NotStarted);
});

for (const action of ["garbage", "outOfTurn", "noError", "noValue"]) {
  test(`a worker that breaks the protocol (${action}) is ended, and its request is lost, not stuck`, async (t) => {
    const worker = startStub(t);
    await worker.ready;
    await assert.rejects(worker.request(run(action), forever), (error) => isError(error, "WORKER_LOST"));
    await worker.exited;
  });
}

test("an error that is not as the protocol has it is read as far as it goes, and cut", async (t) => {
  const worker = startStub(t);
  await assert.rejects(worker.request(run("oddError"), forever), (error) => {
    assert.ok(isError(error, "INTERNAL"));
    assert.equal(error.pluginStack, "");
    assert.match(error.message, /^x+… \[\+3616 characters\] …x+$/);
    return true;
  });
  assert.equal(worker.load, 0);
});

test("end() lets the worker finish what it has", async (t) => {
  const worker = startStub(t);
  await worker.ready;
  const answer = worker.request(run("echo", { a: 1 }), forever);
  worker.end();
  assert.deepEqual(await answerOf(answer), { a: 1 });
  await worker.exited;
});

test("a program that ends before it is ready, or that is not there, rejects ready", async (t) => {
  const worker = startStub(t, { args: ["-e", "process.exit(4)"] });
  await assert.rejects(worker.ready, (error) => {
    return (
      isError(error, "WORKER_LOST") && error.metadata.exit_code === "4" && /before it was ready/.test(error.message)
    );
  });
  const missing = startStub(t, { args: ["/no/such/file.js"] });
  await assert.rejects(missing.ready, (error) => isError(error, "WORKER_LOST"));
});

test("a worker of another version of the protocol is refused, with both versions and what to do", async (t) => {
  for (const protocol of [2, "1", undefined]) {
    const ready = JSON.stringify({ type: "ready", protocol, pid: 1, runtime: "python 3.9.1" });
    const code = `fs.writeSync(3, ${JSON.stringify(`${ready}\n`)}); setInterval(() => {}, 1000);`;
    const worker = startStub(t, { args: ["-e", code] });
    await assert.rejects(worker.ready, (error) => {
      assert.ok(isError(error, "PLUGIN_INVALID"));
      assert.deepEqual(error.metadata, {
        worker_protocol: String(protocol),
        service_protocol: "1",
        runtime: "python 3.9.1",
      });
      return /another version of plugin-runner is installed .* Remove it/.test(error.message);
    });
  }
});

function isError(error: unknown, reason: string): error is PluginRunnerError {
  return error instanceof PluginRunnerError && error.reason === reason;
}
