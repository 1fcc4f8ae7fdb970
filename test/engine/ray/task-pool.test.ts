import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { setTimeout as delay } from "node:timers/promises";
import type { JsonObject, JsonValue } from "@bufbuild/protobuf";
import { create } from "@bufbuild/protobuf";
import { PluginRunner, RunMode, RunPluginRequestSchema } from "../../../gen/ts/pluginrunner/v1/plugin_runner_pb.ts";
import { RunnerError } from "../../../src/client.ts";
import { GrpcChannel } from "../../../src/grpc/grpc-channel.ts";
import { kill, startTime } from "../../../src/util/process.ts";
import { clusterProcesses } from "../../support/cluster-processes.ts";
import { patience, patienceMs } from "../../support/limits.ts";
import { startRay, type TestRay } from "../../support/ray.ts";
import { startServer, type TestServer } from "../../support/server.ts";
import { writePlugins } from "./task-plugins.ts";

const graceMs = 2000;
const root = mkdtempSync(join(tmpdir(), "plugin-runner-ray-"));
let ray: TestRay;
let server: TestServer;

before(async () => {
  writePlugins(root);
  ray = await startRay({ token: true });
  server = await startOne();
});

after(async () => {
  await server?.[Symbol.asyncDispose]();
  await ray?.[Symbol.asyncDispose]();
  rmSync(root, { recursive: true, force: true });
});

test("tasks of both languages run on the cluster, each plugin on a worker that stays", async () => {
  const first = await ids();
  assert.deepEqual(await ids(), first);
  assert.notEqual(first.parent, server.pid);
  assert.equal(await task("script", "double", { n: 21 }), 42);
});

test("a JavaScript task has the packages that stand beside its plugin", async () => {
  assert.equal(await task("packed", "run"), 42);
});

test("a program among the plugin's files can be run", async () => {
  assert.equal(await task("acts", "tool"), "of use\n");
});

test("a run that waits for room gets it when another plugin's worker crashes", async () => {
  await using own = await startOne(["--max-workers", "1"]);
  const begun = join(root, "begun-0");
  const params = { code: 1, begun, seconds: 1 };
  const crash = failure(own.client.runPlugin("acts", "exits", params, { mode: "task" }));
  await untilThere(begun);
  const waiting = own.client.runPlugin("script", "double", { n: 4 }, { mode: "task", timeoutMs: patienceMs });
  assert.equal((await crash).reason, "WORKER_LOST");
  assert.equal(await waiting, 8);
});

test("what the cluster does not have costs only the runs that ask for it", async () => {
  await using own = await startOne(["--max-workers", "1"]);
  const requestId = randomUUID();
  const impossible = { mode: "task", resources: { gpus: 2 }, timeoutMs: 20_000, requestId } as const;
  const said: string[] = [];
  const watching = (async () => {
    for await (const { payload } of own.client.watchRun(requestId)) {
      if (payload.case === "log") said.push(payload.value.message);
    }
  })();
  const late = await failure(own.client.runPlugin("acts", "ids", {}, impossible));
  await watching;
  assert.equal(late.reason, "DEADLINE");
  assert.match(late.message, /it had not begun, and was waiting for resources .* no node .*: 2 GPU asked, 0 GPU there/);
  assert.deepEqual([late.metadata.started, late.metadata.waiting], ["false", said[0]]);
  assert.equal(await own.client.runPlugin("script", "double", { n: 3 }, { mode: "task", timeoutMs: patienceMs }), 6);
});

test("a plugin's exception keeps its worker", async () => {
  const before = await ids();
  const error = await failure(task("acts", "raises"));
  assert.equal(error.reason, "ACTION_FAILED");
  assert.match(error.pluginStack, /ValueError/);
  assert.deepEqual(await ids(), before);
});

test("a crash costs only its own worker, and says how it ended", async () => {
  const script = await task("script", "pid");
  const error = await failure(task("acts", "exits", { code: 7 }));
  assert.equal(error.reason, "WORKER_LOST");
  assert.equal(error.metadata.exit_code, "7");
  assert.match(error.metadata.stderr_tail ?? "", /last words/);
  assert.equal(typeof (await ids()).pid, "number");
  assert.equal(await task("script", "pid"), script);
});

test("an actor that is killed costs its run, and its worker does not go on", async () => {
  const { pid, parent } = await ids();
  const begun = join(root, "begun-1");
  const running = failure(task("acts", "waits", { begun }));
  await untilThere(begun);
  kill(parent, "SIGKILL");
  assert.equal((await running).reason, "WORKER_LOST");
  await untilGone(pid);
  assert.notEqual((await ids()).pid, pid);
});

test("a run that is over its time is told, and killed after the grace when it does not heed that", async () => {
  await ids();
  const heeded = await outOfTime("ends_in_time");
  await untilThere(`${heeded}-heeded`);
  const pid = Number(readFileSync(heeded, "utf8"));
  assert.equal((await ids()).pid, pid);
  await untilGone(Number(readFileSync(await outOfTime("waits"), "utf8")));
});

test("runs that wait get more workers, and workers without work go", async () => {
  await using own = await startOne(["--worker-idle", "1s", "--max-workers", "2"]);
  const [one, other] = [join(root, "one"), join(root, "other")];
  const meet = (mine: string, theirs: string) =>
    own.client.runPlugin("acts", "meets", { mine, theirs }, { mode: "task" });
  const both = (await Promise.all([meet(one, other), meet(other, one)])).map(toIds);
  assert.notEqual(both[0]?.pid, both[1]?.pid);
  for (const { pid } of both) await untilGone(pid);
});

test("more runs than may wait are refused at once", async () => {
  await using own = await startOne(["--max-workers", "1", "--max-queued-runs", "1"]);
  const begun = join(root, "begun-3");
  const controller = new AbortController();
  const options = { mode: "task", signal: controller.signal } as const;
  const first = own.client.runPlugin("acts", "waits", { begun }, options);
  await untilThere(begun);
  const more = ["begun-4", "begun-5"].map((name) =>
    own.client.runPlugin("acts", "waits", { begun: join(root, name) }, options),
  );
  assert.equal((await failure(Promise.race(more))).reason, "OVERLOADED");
  controller.abort();
  await Promise.allSettled([first, ...more]);
});

test("requirements are installed on the cluster for a worker of the plugin's own", async () => {
  assert.equal(await task("needy", "greet"), "hello from a wheel");
});

test("requirements that do not install are PLUGIN_INVALID, and say what the installer said", async () => {
  const error = await failure(task("hopeless", "never"));
  assert.equal(error.reason, "PLUGIN_INVALID");
  assert.match(error.message, /^The plugin's requirements could not be installed on Ray: [^\n]*not.there/);
});

test("a gateway that is killed costs the runs that it has; the next ones start another", async () => {
  const begun = join(root, "begun-6");
  const running = failure(task("acts", "waits", { begun }));
  await untilThere(begun);
  for (const pid of clusterProcesses(ray, "plugin_runner.ray_gateway")) kill(pid, "SIGKILL");
  assert.equal((await running).reason, "WORKER_LOST");
  assert.equal(typeof (await ids()).pid, "number");
});

test("without the cluster a task is ENGINE_UNAVAILABLE, and runs again once the cluster is back", async () => {
  await ray.kill();
  const error = await failure(callOnce("acts", "ids"));
  assert.equal(error.reason, "ENGINE_UNAVAILABLE");
  assert.ok(error.retryAfterMs);
  await ray.start();
  assert.equal(typeof (await ids()).pid, "number");
});

function startOne(args: readonly string[] = []): Promise<TestServer> {
  const own = ["--ray", ray.address, "--grace", `${graceMs}ms`, "--max-workers", "4", "--local", "off"];
  return startServer({ roots: [root], args: [...own, ...args], env: { RAY_AUTH_TOKEN: ray.token ?? "" } });
}

function task(plugin: string, action: string, params: JsonObject = {}, timeoutMs?: number): Promise<JsonValue> {
  return server.client.runPlugin(plugin, action, params, { mode: "task", timeoutMs });
}

/** The same without the client's retries. */
async function callOnce(plugin: string, action: string): Promise<unknown> {
  const channel = new GrpcChannel({ address: server.address, token: undefined, tls: undefined });
  try {
    const request = create(RunPluginRequestSchema, { plugin, action, mode: RunMode.TASK });
    return await channel.unary(PluginRunner.method.runPlugin, request);
  } finally {
    channel.close();
  }
}

/** The processes of the worker and of its actor. */
async function ids() {
  return toIds(await task("acts", "ids"));
}

function toIds(value: JsonValue): { pid: number; parent: number } {
  assert.ok(typeof value === "object" && value !== null && !Array.isArray(value));
  const { pid, parent } = value;
  assert.ok(typeof pid === "number" && typeof parent === "number");
  return { pid, parent };
}

async function failure(promise: Promise<unknown>): Promise<RunnerError> {
  const thrown: unknown = await promise.then(
    () => undefined,
    (error: unknown) => error,
  );
  assert.ok(thrown instanceof RunnerError, String(thrown));
  return thrown;
}

/** Has an action run out of its time once it has begun; where it had too little for that, it gets twice as much. */
async function outOfTime(action: string): Promise<string> {
  for (let timeoutMs = 500; ; timeoutMs *= 2) {
    const begun = join(root, `begun-${action}-${timeoutMs}`);
    assert.equal((await failure(task("acts", action, { begun }, timeoutMs))).reason, "DEADLINE");
    if (existsSync(begun)) return begun;
  }
}

async function untilThere(file: string): Promise<void> {
  while (!existsSync(file)) await delay(20, undefined, { signal: patience() });
}

async function untilGone(pid: number): Promise<void> {
  while (startTime(pid) !== undefined) await delay(20, undefined, { signal: patience() });
}
