import assert from "node:assert/strict";
import { existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { silentLog } from "../../src/util/log.ts";
import { startTime } from "../../src/util/process.ts";
import { Launcher } from "../../src/worker/launcher.ts";
import { patienceMs } from "../support/limits.ts";
import { bindingOf } from "./stub.ts";

test("a worker in reserve is the one that is taken, and another takes its place", async (t) => {
  const { launcher } = launcherOf(t);
  launcher.warm("javascript", "");
  const [first, second] = [await launcher.take("javascript", ""), await launcher.take("javascript", "")];
  t.after(() => [first, second].map((worker) => worker.kill()));
  assert.notEqual(first.pid, second.pid);
  assert.ok((first.pid ?? 0) < (second.pid ?? 0), "the first was started before");
});

test("a bound worker has a scratch folder for as long as it lives", async (t) => {
  const { launcher, dir } = launcherOf(t);
  const worker = await launcher.take("javascript", "");
  launcher.bind(worker, bindingOf("a"));
  assert.equal(readdirSync(join(dir, "work")).length, 1);
  worker.end();
  await worker.exited;
  await gone(() => readdirSync(join(dir, "work")).length === 0);
});

for (const [what, replace] of [
  ["gone", () => {}],
  ["a file", (dir: string) => writeFileSync(dir, "")],
] as const) {
  test(`where the directory is ${what}, neither a start nor a binding makes it anew`, async (t) => {
    const { launcher, dir } = launcherOf(t);
    const worker = await launcher.take("javascript", "");
    t.after(() => worker.kill());
    rmSync(dir, { recursive: true });
    replace(dir);
    const moved = { reason: "STORAGE_UNAVAILABLE", metadata: { code: "moved" } };
    await assert.rejects(launcher.take("javascript", ""), moved);
    assert.throws(() => launcher.bind(worker, bindingOf("a")), moved);
    assert.equal(statSync(dir, { throwIfNoEntry: false })?.isDirectory() ?? false, false);
  });
}

test("what an earlier service left behind is removed", (t) => {
  const { dir } = launcherOf(t);
  mkdirSync(join(dir, "work", "old"), { recursive: true });
  launcherOf(t, dir);
  assert.equal(existsSync(join(dir, "work", "old")), false);
});

test("close() ends the workers in reserve, and none is started after it", async (t) => {
  const { launcher } = launcherOf(t);
  launcher.warm("javascript", "");
  const taken = await launcher.take("javascript", "");
  t.after(() => taken.kill());
  launcher.warm("javascript", "");
  await launcher.close();
  launcher.warm("javascript", "");
  await launcher.close();
  assert.notEqual(startTime(taken.pid ?? 0), undefined);
});

test("a command has the environment that it was given, and no more", (t) => {
  const { launcher, dir } = launcherOf(t);
  assert.deepEqual(launcher.command("javascript", "job", "").env, { PATH: "/bin" });
  const { file, args, env } = launcher.command("python", "worker", "/usr/bin/python3");
  assert.deepEqual([file, args], ["/usr/bin/python3", ["-m", "plugin_runner.worker"]]);
  assert.equal(env.PATH, "/bin");
  assert.ok(env.PYTHONPYCACHEPREFIX?.startsWith(dir));
});

test("what a plugin puts on PYTHONPATH comes after this library, and is found from the plugin's folder", (t) => {
  const { launcher } = launcherOf(t);
  const variables = { env: { PYTHONPATH: "lib:/other:", TZ: "Asia/Tokyo" }, root: "/plugin" };
  const { env } = launcher.command("python", "worker", "python3", variables);
  assert.deepEqual(env.PYTHONPATH?.split(":").slice(1), ["/plugin/lib", "/other"]);
  assert.equal(env.TZ, "Asia/Tokyo");
});

test("a worker that needs variables from its start is not the one in reserve", async (t) => {
  const { launcher } = launcherOf(t);
  launcher.warm("javascript", "");
  const own = await launcher.start("javascript", "", { env: { TZ: "Asia/Tokyo" }, root: "/" });
  const reserved = await launcher.take("javascript", "");
  t.after(() => [own, reserved].map((worker) => worker.kill()));
  assert.ok((own.pid ?? 0) > (reserved.pid ?? 0));
});

function launcherOf(t: TestContext, dir = mkdtempSync(join(tmpdir(), "launcher-"))) {
  const launcher = new Launcher({
    dir,
    placeArtifacts: () => "",
    env: { PATH: "/bin" },
    memoryMib: undefined,
    loadTimeoutMs: 120_000,
    graceMs: 1000,
    log: silentLog,
  });
  t.after(async () => {
    await launcher.close();
    rmSync(dir, { recursive: true, force: true });
  });
  return { launcher, dir };
}

/** A folder goes a little after the process. */
async function gone(holds: () => boolean): Promise<void> {
  const end = performance.now() + patienceMs;
  while (!holds()) {
    assert.ok(performance.now() < end);
    await new Promise(setImmediate);
  }
}
