import assert from "node:assert/strict";
import { test } from "node:test";
import { inspect } from "node:util";
import { status } from "@grpc/grpc-js";
import { PluginRunner } from "../../gen/ts/pluginrunner/v1/plugin_runner_pb.ts";
import { connect, RunnerError } from "../../src/client.ts";
import { PluginRunnerError } from "../../src/errors.ts";
import { BareStatus, fakeServer, snapshot, streaming, unary } from "./fake-server.ts";

const { method } = PluginRunner;

const failure = new PluginRunnerError("ACTION_FAILED", "ValueError: no", {
  violations: [{ field: "/params/n", description: "must be a number", rule: "type" }],
  exceptionType: "ValueError",
  pluginStack: 'Traceback:\n  File "main.py", line 7',
});

/** The error of a call that this function made, as Node prints it when nobody catches it. */
async function printed(callOfMine: () => Promise<unknown>): Promise<string> {
  try {
    await callOfMine();
  } catch (error) {
    assert.ok(error instanceof RunnerError);
    return inspect(error);
  }
  return assert.fail("it succeeded");
}

test("an error that nobody catches shows its reason, every fault, the caller's line and the plugin's stack, and no more", async () => {
  using server = await fakeServer([
    unary(method.runPlugin, async () => {
      throw failure;
    }),
  ]);
  await using client = connect({ address: server.address });
  const text = await printed(async function callOfMine() {
    return await client.runPlugin("p", "a");
  });
  assert.match(text, /^ExecutionError \[ACTION_FAILED\]: ValueError: no\n {2}\/params\/n: must be a number\n {4}at /);
  assert.match(text, /at async callOfMine \(.*client-errors\.test\.ts:\d+:\d+\)/);
  assert.match(text, /In the plugin:\nTraceback:\n {2}File "main.py", line 7/);
  assert.match(text, /exceptionType: 'ValueError'/);
  assert.ok(text.split("\n").length < 25, text);
});

test("so does the error of a job, of a watch and of a connection", async () => {
  using server = await fakeServer([
    streaming(method.submitJob, async function* () {
      yield snapshot({ jobId: "j" });
    }),
    unary(method.getJob, async () => ({ job: { jobId: "j", error: { reason: "ACTION_FAILED", message: "m" } } })),
    streaming(method.watchJob, async function* () {
      yield* [];
      throw new PluginRunnerError("JOB_NOT_FOUND", "There is no job j.");
    }),
    unary(method.getServerInfo, async () => {
      throw new BareStatus(status.UNIMPLEMENTED);
    }),
  ]);
  await using client = connect({ address: server.address });
  const job = await client.submitJob("p", "a");
  const calls = [() => job.result(), () => client.watchJob("j").next(), () => client.serverInfo()];
  for (const call of calls) {
    const text = await printed(async function callOfMine() {
      return await call();
    });
    assert.match(text, /at async callOfMine /);
    assert.doesNotMatch(text, /Metadata|node_modules/);
    assert.ok(text.split("\n").length < 25, text);
  }
});

test("a job whose deletion was answered with a cut is deleted", async () => {
  let calls = 0;
  using server = await fakeServer([
    unary(method.deleteJob, async () => {
      calls += 1;
      throw calls === 1 ? new BareStatus(status.UNAVAILABLE) : new PluginRunnerError("JOB_NOT_FOUND", "gone");
    }),
  ]);
  await using client = connect({ address: server.address });
  await client.deleteJob("j");
  assert.equal(calls, 2);
  await assert.rejects(client.deleteJob("j"), { reason: "JOB_NOT_FOUND" });
});
