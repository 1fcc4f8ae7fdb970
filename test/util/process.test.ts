import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { randomUUID } from "node:crypto";
import { once } from "node:events";
import { type TestContext, test } from "node:test";
import { kill, killByEnvironment, killGroup, startTime } from "../../src/util/process.ts";

test("a process is known by its pid and the time of its start, until it is gone", async (t) => {
  const child = idle(t);
  const pid = child.pid ?? 0;
  const start = startTime(pid);
  assert.match(start ?? "", /^\d+$/);
  assert.equal(startTime(pid), start);
  assert.notEqual(start, startTime(process.pid));
  kill(pid, "SIGKILL");
  await once(child, "exit");
  assert.equal(startTime(pid), undefined);
});

test("a process that is gone already is left alone", async (t) => {
  const child = idle(t);
  kill(child.pid ?? 0, "SIGKILL");
  await once(child, "exit");
  kill(child.pid ?? 0, "SIGTERM");
  killGroup(child.pid ?? 0, "SIGTERM");
});

test("a signal to a group reaches what its leader started", async (t) => {
  const child = idle(t, { detached: true });
  killGroup(child.pid ?? 0, "SIGTERM");
  const [, signal] = await once(child, "exit");
  assert.equal(signal, "SIGTERM");
});

test("processes are found by their environment, wherever they have gone, and no others", async (t) => {
  const mark = randomUUID();
  const marked = [idle(t, { env: { MARK: mark }, detached: true }), idle(t, { env: { MARK: mark } })];
  const others = [idle(t, { env: { MARK: `${mark}0` } }), idle(t, { env: { OTHER: mark } })];
  await Promise.all([...marked, ...others].map((child) => once(child.stdout, "data")));
  assert.equal(killByEnvironment("MARK", mark), 2);
  await Promise.all(marked.map((child) => child.exitCode ?? once(child, "exit")));
  assert.ok(others.every((child) => startTime(child.pid ?? 0) !== undefined));
  assert.equal(killByEnvironment("MARK", randomUUID()), 0);
});

/** A process that says that it is there, and does nothing. */
function idle(t: TestContext, options: { detached?: boolean; env?: Record<string, string> } = {}) {
  const child = spawn(process.execPath, ["-e", "console.log(); setInterval(() => {}, 1000)"], {
    stdio: ["ignore", "pipe", "inherit"],
    ...options,
  });
  t.after(() => child.kill("SIGKILL"));
  return child;
}
