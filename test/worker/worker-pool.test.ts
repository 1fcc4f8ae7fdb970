import assert from "node:assert/strict";
import { type TestContext, test } from "node:test";
import { PluginRunnerError } from "../../src/errors.ts";
import { startTime } from "../../src/util/process.ts";
import { WorkerPool, type WorkerPoolOptions } from "../../src/worker/worker-pool.ts";
import { answerOf, bindingOf, forever, run, startStub } from "./stub.ts";

interface Key {
  name: string;
}

test("a worker that is warm is used again", async (t) => {
  const { pool, started } = poolOf(t);
  const key = { name: "a" };
  const first = await answerOf(pool.request(key, run("pid"), forever));
  assert.equal(await answerOf(pool.request(key, run("pid"), forever)), first);
  assert.deepEqual(started, ["a"]);
});

test("a group grows while its requests wait, up to the limit, and no further", async (t) => {
  const { pool, started } = poolOf(t, { maxWorkers: 3, maxWorkersPerKey: 2 });
  const key = { name: "a" };
  const ends = new AbortController();
  const waiting = Array.from({ length: 2 }, () => pool.request(key, run("wait"), ends.signal));
  const third = pool.request(key, run("echo"), forever);
  const other = await answerOf(pool.request({ name: "b" }, run("binding"), forever));
  assert.equal(other, "b");
  assert.deepEqual(started.sort(), ["a", "a", "b"]);
  ends.abort(new Error("over"));
  await Promise.allSettled(waiting);
  assert.deepEqual(await answerOf(third), {});
});

test("a full pool ends the longest idle worker of another key", async (t) => {
  const { pool, started } = poolOf(t, { maxWorkers: 1 });
  const pid = await answerOf(pool.request({ name: "a" }, run("pid"), forever));
  assert.equal(await answerOf(pool.request({ name: "b" }, run("binding"), forever)), "b");
  assert.deepEqual(started, ["a", "b"]);
  assert.equal(typeof pid, "number");
});

test("requests beyond the queue are refused at once, and one that is aborted makes room", async (t) => {
  const { pool } = poolOf(t, { maxWorkers: 1, maxQueued: 1 });
  const key = { name: "a" };
  const ends = new AbortController();
  await pool.request(key, run("echo"), forever);
  const running = pool.request(key, run("wait"), ends.signal);
  const leaves = new AbortController();
  const waiting = pool.request(key, run("echo"), leaves.signal);
  await assert.rejects(pool.request(key, run("echo"), forever), (error) => isError(error, "OVERLOADED"));
  leaves.abort(new Error("left"));
  await assert.rejects(waiting, /left/);
  const next = pool.request(key, run("echo", { a: 1 }), forever);
  ends.abort(new Error("over"));
  await assert.rejects(running, /over/);
  assert.deepEqual(await answerOf(next), { a: 1 });
});

test("a call does not wait for a worker that is to end what nobody waits for any more", async (t) => {
  const { pool, started } = poolOf(t, { maxWorkersPerKey: 1, depth: 8, graceMs: 60_000 });
  const key = { name: "a" };
  const leaves = new AbortController();
  await pool.request(key, run("echo"), forever);
  const stuck = pool.request(key, run("deaf"), leaves.signal);
  leaves.abort(new Error("left"));
  await assert.rejects(stuck, /left/);
  assert.deepEqual(await answerOf(pool.request(key, run("echo", { a: 1 }), forever)), { a: 1 });
  assert.deepEqual(started, ["a", "a"]);
});

test("what waits behind an action that was interrupted goes to another worker", async (t) => {
  const { pool, started } = poolOf(t, { maxWorkersPerKey: 1, depth: 8 });
  const key = { name: "a" };
  const leaves = new AbortController();
  await pool.request(key, run("echo"), forever);
  const interrupted = pool.request(key, run("interrupted"), leaves.signal); // the worker is free: it is sent at once
  const behind = pool.request(key, run("echo", { a: 1 }), forever);
  leaves.abort(new Error("left"));
  await assert.rejects(interrupted, /left/);
  assert.deepEqual(await answerOf(behind), { a: 1 });
  assert.deepEqual(await answerOf(pool.request(key, run("echo", { a: 2 }), forever)), { a: 2 });
  assert.deepEqual(started, ["a", "a"]);
});

test("what a lost worker had not started goes to another one", async (t) => {
  const { pool, started } = poolOf(t, { maxWorkers: 1, depth: 8 });
  const key = { name: "a" };
  const [lost, ...others] = await Promise.allSettled([
    pool.request(key, run("exit"), forever),
    pool.request(key, run("echo", { a: 1 }), forever),
    pool.request(key, run("echo", { a: 2 }), forever),
  ]);
  assert.ok(lost.status === "rejected" && isError(lost.reason, "WORKER_LOST"));
  assert.deepEqual(
    others.map((other) => other.status === "fulfilled" && other.value.value),
    [{ a: 1 }, { a: 2 }],
  );
  assert.deepEqual(started, ["a", "a"]);
});

test("a key under steady load does not keep another one waiting for ever", async (t) => {
  const { pool } = poolOf(t, { maxWorkers: 1 });
  const busy = { name: "busy" };
  const stop = new AbortController();
  const load = Array.from({ length: 4 }, async () => {
    while (!stop.signal.aborted) await pool.request(busy, run("echo"), forever);
  });
  assert.equal(await answerOf(pool.request({ name: "rare" }, run("binding"), forever)), "rare");
  stop.abort();
  await Promise.all(load);
});

test("what cannot be started is refused with the reason, and tried anew by the next request", async (t) => {
  const fault = new PluginRunnerError("PLUGIN_INVALID", "no environment");
  let faults = 1;
  const pool = new WorkerPool<Key>(
    { start: async () => (faults-- > 0 ? Promise.reject(fault) : startStub(t)) },
    { ...limits, maxWorkers: 1 },
  );
  t.after(() => pool.close(AbortSignal.abort()));
  const key = { name: "a" };
  await assert.rejects(pool.request(key, run("echo"), forever), fault);
  assert.deepEqual(await answerOf(pool.request(key, run("echo"), forever)), {});
});

test("close() refuses what waits, lets what runs finish, and ends every worker", async (t) => {
  const { pool } = poolOf(t, { maxWorkers: 1, graceMs: 50 });
  const key = { name: "a" };
  const pid = Number(await answerOf(pool.request(key, run("pid"), forever)));
  const ends = new AbortController();
  const running = pool.request(key, run("wait"), ends.signal);
  const waiting = pool.request(key, run("echo"), forever);
  const closed = pool.close(forever);
  await assert.rejects(waiting, (error) => isError(error, "ENGINE_UNAVAILABLE"));
  await assert.rejects(pool.request(key, run("echo"), forever), (error) => isError(error, "ENGINE_UNAVAILABLE"));
  ends.abort(new Error("over"));
  await assert.rejects(running, /over/);
  await closed;
  assert.equal(startTime(pid), undefined);
});

test("close() kills what still runs when its time is up", async (t) => {
  const { pool } = poolOf(t, { maxWorkers: 1 });
  const key = { name: "a" };
  await pool.request(key, run("echo"), forever);
  const running = pool.request(key, run("deaf"), forever); // the worker is free: it is sent at once
  const lost = assert.rejects(running, (error) => isError(error, "WORKER_LOST"));
  await pool.close(AbortSignal.abort());
  await lost;
});

const limits: WorkerPoolOptions = { maxWorkers: 2, maxWorkersPerKey: 8, depth: 1, maxQueued: 100, idleMs: 60_000 };

/** A pool of stubs, and the keys that a worker was started for. */
function poolOf(t: TestContext, { graceMs, ...options }: Partial<WorkerPoolOptions> & { graceMs?: number } = {}) {
  const started: string[] = [];
  const start = async (key: Key) => {
    started.push(key.name);
    const worker = startStub(t, graceMs === undefined ? {} : { graceMs });
    await worker.ready;
    worker.bind(bindingOf(key.name), "/");
    return worker;
  };
  const pool = new WorkerPool<Key>({ start }, { ...limits, ...options });
  t.after(() => pool.close(AbortSignal.abort()));
  return { pool, started };
}

function isError(error: unknown, reason: string): boolean {
  return error instanceof PluginRunnerError && error.reason === reason;
}
