import assert from "node:assert/strict";
import { test } from "node:test";
import { create } from "@bufbuild/protobuf";
import { PluginSchema } from "../../../gen/ts/pluginrunner/v1/plugin_pb.ts";
import type { GatewayAddress } from "../../../src/engine/ray/gateway.ts";
import { RayTaskPool } from "../../../src/engine/ray/task-pool.ts";
import { PluginRunnerError, type Reason } from "../../../src/errors.ts";
import type { LoadedAction } from "../../../src/plugin/plugin.ts";
import { FakeDashboard, type Reaction } from "../../support/fake-dashboard.ts";

const forever = new AbortController().signal;
const done: Reaction = { body: '{"id":1,"ok":true,"value":42}' };
const said = (reason: string): Reaction => ({
  body: JSON.stringify({ id: 1, ok: false, error: { reason, message: "as it was told" } }),
});

/** A pool whose gateway reacts to the first request, the second and so on, and last to all further ones, as told. */
async function poolWith(...reactions: Reaction[]) {
  const server = await FakeDashboard.start((_, nth) => reactions[Math.min(nth, reactions.length) - 1] ?? done);
  const counts = { found: 0, forgotten: 0, packed: 0, asked: 0 };
  let alive = true;
  const address: GatewayAddress = { jobId: "gateway-1", origin: server.address, token: "t0ken" };
  const gateway = {
    find: async () => {
      counts.found++;
      return address;
    },
    forget: async () => {
      counts.forgotten++;
    },
    health: async () => {
      counts.asked++;
      return alive ? { ray: "2", python: "", resources: {}, workers: 1, waiting: 0, reserve: 0 } : undefined;
    },
    close: async () => {},
  };
  const packages = {
    plugin: async () => {
      counts.packed++;
      return "gcs://_ray_pkg_0123456789abcdef.zip";
    },
    library: async () => "",
    files: async () => "",
  };
  const limits = {
    maxWorkers: 1,
    maxQueued: 1,
    idleMs: 1000,
    loadTimeoutMs: 120_000,
    graceMs: 100,
    keepArtifactsMs: 0,
    pulseMs: 20,
  };
  const pool = new RayTaskPool({ gateway, packages, nodePackages: async () => "", env: { LC_ALL: "C" }, ...limits });
  const run = (signal = forever, env = {}, waiting = (_: string) => {}) =>
    pool.run({ action, params: { value: {}, nonFinite: [] }, env, jobId: "", waiting }, signal);
  const close = async () => {
    await pool.close(AbortSignal.abort());
    await server[Symbol.asyncDispose]();
  };
  const hang = () => {
    alive = false;
  };
  return { server, pool, run, counts, hang, [Symbol.asyncDispose]: close };
}

test("the gateway is told which variables a worker has to be started with, and runs alike go to the same ones", async () => {
  await using own = await poolWith(done);
  const environments = [{}, { API_KEY: "a" }, { TZ: "Asia/Tokyo", API_KEY: "b" }, { API_KEY: "c", TZ: "Asia/Tokyo" }];
  for (const env of environments) await own.run(forever, env);
  const specs = own.server.seen.map(({ body }) => body.split("\n")[0] ?? "");
  assert.equal(specs[0], specs[1]);
  assert.equal(specs[2], specs[3]);
  assert.deepEqual(
    specs.map((spec) => JSON.parse(spec).start_env),
    [{ LC_ALL: "C" }, { LC_ALL: "C" }, { LC_ALL: "C", TZ: "Asia/Tokyo" }, { LC_ALL: "C", TZ: "Asia/Tokyo" }],
  );
});

test("a gateway that hangs loses its runs, and is looked for anew; one that is slow does not", async () => {
  await using own = await poolWith("hang");
  const running = own.run();
  while (own.counts.asked < 5) await new Promise(setImmediate);
  own.hang();
  await assert.rejects(running, { reason: "WORKER_LOST", message: /does not answer any more/ });
  assert.equal(own.counts.forgotten, 1);
});

test("a package that the cluster has forgotten is brought there again, and the run goes on", async () => {
  await using own = await poolWith({ status: 424, body: "{}" }, done);
  assert.deepEqual(await own.run(), { value: 42 });
  assert.equal(own.counts.packed, 2);
  assert.deepEqual(await own.run(), { value: 42 });
  assert.equal(own.counts.packed, 2);
});

test("what a run waits for is told as it comes, and its answer is the last line", async () => {
  const streamed = (...lines: object[]): Reaction => ({
    headers: { "content-type": "application/x-ndjson" },
    body: lines.map((line) => `${JSON.stringify(line)}\n`).join(""),
  });
  const waits = { waiting: "waiting for a worker" };
  await using own = await poolWith(
    streamed(waits, { missing: "gcs://x.zip" }),
    streamed(waits, { waiting: "" }, { id: 1, ok: true, value: 42 }),
  );
  const told: string[] = [];
  assert.deepEqual(await own.run(forever, {}, (detail) => told.push(detail)), { value: 42 });
  assert.deepEqual(told, ["waiting for a worker", "waiting for a worker", ""]);
});

test("a gateway that ends, or has another token, is looked for anew: nothing has started", async () => {
  for (const status of [401, 503]) {
    await using own = await poolWith({ status }, done);
    assert.deepEqual(await own.run(), { value: 42 });
    assert.equal(own.counts.forgotten, 1);
  }
});

test("a gateway that is never there is ENGINE_UNAVAILABLE", async () => {
  await using own = await poolWith({ status: 503 });
  await fails(own.run(), "ENGINE_UNAVAILABLE");
  await own.server[Symbol.asyncDispose]();
});

for (const [how, reaction] of [
  ["that cuts the connection", "reset"],
  ["that is lost before its answer is whole", { headers: { "content-length": "100" }, body: "{" }],
] as const satisfies readonly (readonly [string, Reaction])[]) {
  test(`a gateway ${how} is WORKER_LOST, and the run is not repeated`, async () => {
    await using own = await poolWith(reaction);
    await fails(own.run(), "WORKER_LOST");
    assert.equal(own.server.count("POST", /run/), 1);
  });
}

test("an answer that is none is INTERNAL", async () => {
  for (const body of ["<html>", "[]", "{}"]) {
    await using own = await poolWith({ body });
    await fails(own.run(), "INTERNAL");
  }
});

test("the gateway's own errors keep their reasons", async () => {
  for (const reason of ["ACTION_FAILED", "WORKER_LOST", "PLUGIN_INVALID", "ENGINE_UNAVAILABLE"] as const) {
    await using own = await poolWith(said(reason));
    await fails(own.run(), reason);
  }
});

test("a caller that leaves ends its request with its own reason", async () => {
  await using own = await poolWith("hang");
  const controller = new AbortController();
  const run = own.run(controller.signal);
  const reason = new Error("left");
  controller.abort(reason);
  await assert.rejects(run, (error) => error === reason);
});

test("more runs than workers and places to wait are OVERLOADED at once", async () => {
  await using own = await poolWith("hang");
  const controller = new AbortController();
  const under = [own.run(controller.signal), own.run(controller.signal)];
  await fails(own.run(), "OVERLOADED");
  controller.abort();
  await Promise.allSettled(under);
});

test("a pool that closes ends what is left at its limit, and takes nothing more", async () => {
  const own = await poolWith("hang");
  const ended = fails(own.run(), "WORKER_LOST");
  while (own.server.seen.length === 0) await new Promise(setImmediate);
  await own[Symbol.asyncDispose]();
  await ended;
  await fails(own.run(), "ENGINE_UNAVAILABLE");
});

async function fails(run: Promise<unknown>, reason: Reason): Promise<void> {
  await assert.rejects(run, (error) => {
    assert.ok(error instanceof PluginRunnerError, String(error));
    assert.equal(error.reason, reason);
    if (reason === "ENGINE_UNAVAILABLE") assert.ok(error.retryAfterMs);
    return true;
  });
}

const action: LoadedAction = {
  plugin: {
    info: create(PluginSchema, { code: "p", path: "/p" }),
    binding: { language: "python", code: "p", root: "/p", module: "", digest: "d", env: {}, packages: "" },
    requirements: undefined,
  },
  name: "act",
  entrypoint: "main:act",
  validator: undefined,
  timeoutMs: undefined,
  resources: undefined,
};
