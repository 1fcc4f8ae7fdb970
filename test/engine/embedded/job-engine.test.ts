import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import {
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { setTimeout as delay } from "node:timers/promises";
import { create } from "@bufbuild/protobuf";
import { PluginSchema, ResourcesSchema } from "../../../gen/ts/pluginrunner/v1/plugin_pb.ts";
import { Environments } from "../../../src/engine/embedded/environment.ts";
import { EmbeddedJobEngine } from "../../../src/engine/embedded/job-engine.ts";
import type { JobStart } from "../../../src/engine/engine.ts";
import { PluginRunnerError } from "../../../src/errors.ts";
import { killScope } from "../../../src/util/kill-scope.ts";
import { silentLog } from "../../../src/util/log.ts";
import { startTime } from "../../../src/util/process.ts";
import { Launcher } from "../../../src/worker/launcher.ts";
import type { EventRecord } from "../../../src/worker/messages.ts";
import { withoutSmallDisk as skip, smallDisk } from "../../support/small-disk.ts";

const forever = new AbortController().signal;
const plugin = join(import.meta.dirname, "../../fixtures/lifecycle/counted");
const nothing = () => {};

test("a job's process is started once, however often it is asked for, and its events are followed to the end", async (t) => {
  const { engine, starts, jobOf, started } = engineOf(t);
  await Promise.all([engine.start("job", jobOf("quick"), nothing, forever)]);
  const types = (await followed(engine)).map(({ type }) => type);
  assert.deepEqual([types[0], ...types.slice(-2)], ["started", "result", "exit"]);
  await engine.start("job", () => assert.fail("the job has started"), nothing, forever);
  assert.deepEqual(
    (await followed(engine)).map(({ type }) => type),
    types,
  );
  assert.deepEqual(starts(), ["job"]);
  assert.match(started(), /^\{"pid":\d+/);
});

test("of two services that start one job, one carries it and both follow it", async (t) => {
  const first = engineOf(t);
  const second = engineOf(t, { dir: first.dir });
  await Promise.all([
    first.engine.start("job", first.jobOf("quick"), nothing, forever),
    second.engine.start("job", first.jobOf("quick"), nothing, forever),
  ]);
  const both = await Promise.all([followed(first.engine), followed(second.engine)]);
  assert.deepEqual(both[0], both[1]);
  assert.deepEqual(first.starts(), ["job"]);
});

test("what the process is told may be secret: nobody else can read it, and it is gone with the process", async (t) => {
  const { engine, dir, jobOf, release } = engineOf(t);
  const spec = join(dir, "job", "spec.json");
  await engine.start("job", jobOf("hold"), nothing, forever);
  assert.equal(statSync(spec).mode & 0o777, 0o600);
  release();
  await followed(engine);
  assert.equal(existsSync(spec), false);
});

test("a job that was given up never starts: not by a process that was about to, nor by another service", async (t) => {
  const { engine, dir, jobOf, starts } = engineOf(t);
  mkdirSync(join(dir, "job"), { recursive: true });
  assert.equal(await engine.giveUp("job"), true);
  await engine.start("job", jobOf("quick"), nothing, forever);
  assert.deepEqual(await followed(engine), []);
  assert.deepEqual(starts(), []);
});

test("what a job was given that is given up may be secret, and goes", async (t) => {
  const { engine, dir } = engineOf(t);
  mkdirSync(join(dir, "job"), { recursive: true });
  writeFileSync(join(dir, "job", "spec.json"), '{"job_id":"job","scope":"","env":{"TOKEN":"secret"}}');
  assert.equal(await engine.giveUp("job"), true);
  assert.equal(existsSync(join(dir, "job", "spec.json")), false);
});

test("a job that has started cannot be given up; one without a folder can", async (t) => {
  const { engine, jobOf } = engineOf(t);
  assert.equal(await engine.giveUp("job"), true);
  await engine.start("job", jobOf("quick"), nothing, forever);
  await followed(engine);
  assert.equal(await engine.giveUp("job"), false);
});

test("a job beyond the slots says so, waits, and can be given up meanwhile", async (t) => {
  const { engine, dir, jobOf, release } = engineOf(t, { maxRunning: 1 });
  await engine.start("first", jobOf("hold", "first"), nothing, forever);
  const first = followed(engine, "first");
  const leave = new AbortController();
  const said: string[] = [];
  const second = engine.start("second", jobOf("quick", "second"), (detail) => said.push(detail), leave.signal);
  const third = engine.start("third", jobOf("quick", "third"), nothing, forever);
  leave.abort(new Error("left"));
  await assert.rejects(second, /left/);
  assert.deepEqual(said, ["waiting for one of 1 job slots"]);
  assert.equal(existsSync(join(dir, "second")), false);
  release();
  await first;
  await third;
  assert.equal((await followed(engine, "third")).at(-1)?.type, "exit");
});

test("a job is stopped, and its files are removed", async (t) => {
  const { engine, dir, jobOf } = engineOf(t);
  await engine.start("job", jobOf("hold"), nothing, forever);
  const events: EventRecord[] = [];
  for await (const chunk of engine.follow("job", 0, forever)) {
    events.push(...recordsOf(chunk));
    if (events.some(({ type }) => type === "progress")) await engine.stop("job");
  }
  assert.deepEqual(
    events.slice(-2).map(({ type }) => type),
    ["error", "exit"],
  );
  await engine.stop("job");
  await engine.remove("job");
  assert.equal(existsSync(join(dir, "job")), false);
});

test("a disk that is full while a job starts or ends keeps no slot and leaves no drafts", { skip }, async (t) => {
  using disk = smallDisk("size=1m");
  const { engine, dir, jobOf } = engineOf(t, { dir: join(disk.path, "jobs"), maxRunning: 1 });
  mkdirSync(join(dir, "first", "work"), { recursive: true });
  disk.fill(0);
  await assert.rejects(followed(engine, "first"), { code: "ENOSPC" });
  mkdirSync(join(dir, "third", "work"), { recursive: true });
  await assert.rejects(engine.start("third", jobOf("quick", "third"), nothing, forever), { code: "ENOSPC" });
  const left = ["first", "third"].flatMap((id) => readdirSync(join(dir, id))).filter((name) => name !== "work");
  assert.deepEqual(left, []);
  disk.free();
  for (const id of ["second", "third"]) {
    await engine.start(id, jobOf("quick", id), nothing, forever);
    assert.equal((await followed(engine, id)).at(-1)?.type, "exit");
  }
});

test("a copy of a job's directory is no way to its process", async (t) => {
  const { engine, dir, jobOf, release } = engineOf(t);
  await engine.start("job", jobOf("hold"), nothing, forever);
  const following = followed(engine);
  await engine.own("job", "", false);
  const copy = engineOf(t);
  while (!existsSync(join(dir, "job", "started"))) await delay(10);
  cpSync(join(dir, "job"), join(copy.dir, "job"), { recursive: true });
  await copy.engine.stop("job");
  await copy.engine.own("job", "", false);
  await copy.engine.stop("job");
  assert.equal((await followed(copy.engine)).at(-1)?.type === "exit", false);
  assert.match((await copy.engine.explain("job"))?.message ?? "", /is a copy of/);
  release();
  assert.equal((await following).at(-1)?.type, "exit");
});

for (const [name, plant] of [
  ["a file", (path: string) => writeFileSync(path, "")],
  ["a link to nothing", (path: string) => symlinkSync("nothing", path)],
  ["a link to itself", (path: string) => symlinkSync("work", path)],
] as const) {
  test(`${name} where a job's own directory is to be made gives way to it`, async (t) => {
    const { engine, dir, jobOf } = engineOf(t);
    mkdirSync(join(dir, "job"), { recursive: true });
    plant(join(dir, "job", "work"));
    await engine.start("job", jobOf("quick"), nothing, forever);
    assert.equal((await followed(engine)).find(({ type }) => type === "result")?.type, "result");
  });
}

test("a job whose files were replaced by their copy is not said to be carried at the same place", async (t) => {
  const { engine, dir, jobOf, release, starts } = engineOf(t);
  await engine.own("job", "", true);
  await engine.start("job", jobOf("hold"), nothing, forever);
  while (starts().length === 0) await delay(10);
  const [job, original] = [join(dir, "job"), join(dir, "job.old")];
  renameSync(job, original);
  cpSync(original, job, { recursive: true });
  const next = engineOf(t, { dir });
  await next.engine.own("job", "", false);
  await followed(next.engine);
  const lost = await next.engine.explain("job");
  assert.match(lost?.message ?? "", /were copied, or moved .* belongs to the original files/);
  assert.equal(lost?.message.includes(dir), false);
  release();
  while (!readFileSync(join(original, "events.jsonl"), "utf8").includes(`"exit"`)) await delay(10);
});

test("a supervisor of an earlier version, which knows SIGTERM alone, is asked to stop by it", async (t) => {
  const { engine, dir } = engineOf(t);
  mkdirSync(join(dir, "job"), { recursive: true });
  const code = 'process.on("SIGTERM", () => process.exit(7)); console.log(); setInterval(() => {}, 1000)';
  const child = spawn(process.execPath, ["-e", code], { cwd: join(dir, "job"), detached: true, stdio: "pipe" });
  t.after(() => child.kill("SIGKILL"));
  const exited = once(child, "exit");
  await once(child.stdout, "data");
  const pid = child.pid ?? 0;
  writeFileSync(join(dir, "job", "started"), JSON.stringify({ pid, start_time: startTime(pid) }));
  await engine.own("job", "record", false);
  await engine.stop("job");
  assert.deepEqual(await exited, [7, null]);
});

test("a job that an earlier service started has its slot before one that waits can get it", async (t) => {
  const { engine, dir, jobOf, starts } = engineOf(t);
  await engine.start("first", jobOf("hold", "first"), nothing, forever);
  while (starts().length === 0) await delay(10);
  const next = engineOf(t, { dir, maxRunning: 1 });
  const owned = next.engine.own("first", "", false);
  const leave = new AbortController();
  const said: string[] = [];
  const second = next.engine.start("second", jobOf("quick", "second"), (detail) => said.push(detail), leave.signal);
  await owned;
  await next.engine.own("second", "", false);
  leave.abort(new Error("left"));
  await assert.rejects(second, /left/);
  assert.deepEqual(said, ["waiting for one of 1 job slots"]);
});

test("following what never was ends at once", async (t) => {
  const { engine } = engineOf(t);
  assert.deepEqual(await followed(engine, "never"), []);
});

test("resources that this machine does not have are refused, each by name", (t) => {
  const { engine } = engineOf(t);
  engine.check(create(ResourcesSchema, { cpus: 0.5, memoryMib: 1 }));
  for (const asked of [{ cpus: 1e6 }, { gpus: 1e6 }, { memoryMib: 2 ** 30 }, { custom: { tpu: 1 } }]) {
    assert.throws(
      () => engine.check(create(ResourcesSchema, asked)),
      (error) => error instanceof PluginRunnerError && error.reason === "REQUEST_INVALID" && !!error.metadata.resource,
    );
  }
});

/** An engine over a folder, and jobs of the fixture `counted`. */
function engineOf(t: TestContext, options: { dir?: string; maxRunning?: number } = {}) {
  const dir = options.dir ?? mkdtempSync(join(tmpdir(), "engine-"));
  const launcher = new Launcher({
    dir,
    placeArtifacts: () => "",
    env: { PATH: "/usr/bin:/bin" },
    memoryMib: undefined,
    loadTimeoutMs: 120_000,
    graceMs: 3000,
    log: silentLog,
  });
  const environments = new Environments({ dir: join(dir, "environments"), python: async () => "", log: silentLog });
  const engine = new EmbeddedJobEngine({
    dir,
    aside: join(dir, "set-aside"),
    launcher,
    passedEnv: {},
    environments,
    maxRunning: options.maxRunning ?? 8,
    loadTimeoutMs: 120_000,
    graceMs: 3000,
    outputLimitBytes: 1e6,
    maxEvents: 100_000,
    resultLimitBytes: 1e6,
    log: silentLog,
  });
  t.after(async () => {
    await engine.close();
    for (const id of ["job", "first", "second", "third"]) endJob(join(dir, id));
    rmSync(dir, { recursive: true, force: true, maxRetries: 5 });
  });
  const params = { starts: join(dir, "starts"), release: join(dir, "release") };
  const binding = {
    language: "javascript",
    code: "counted",
    root: plugin,
    module: "",
    digest: "x",
    env: {},
    packages: "",
  } as const;
  const jobOf =
    (name: string, jobId = "job") =>
    async (): Promise<JobStart> => {
      const loaded = { info: create(PluginSchema), binding, requirements: undefined };
      const entrypoint = `./actions.ts#${name}`;
      const configured = { validator: undefined, timeoutMs: undefined, resources: undefined };
      const action = { plugin: loaded, name, entrypoint, ...configured };
      return {
        jobId,
        action,
        given: async () => ({ params: { value: params, nonFinite: [] }, env: {} }),
        timeoutMs: undefined,
        resources: undefined,
      };
    };
  return {
    dir,
    engine,
    jobOf,
    release: () => writeFileSync(params.release, ""),
    started: () => readFileSync(join(dir, "job", "started"), "utf8"),
    starts: () => (existsSync(params.starts) ? readFileSync(params.starts, "utf8").trimEnd().split("\n") : []),
  };
}

async function followed(engine: EmbeddedJobEngine, jobId = "job"): Promise<EventRecord[]> {
  const chunks: Uint8Array[] = [];
  for await (const chunk of engine.follow(jobId, 0, forever)) chunks.push(chunk);
  return recordsOf(Buffer.concat(chunks));
}

function recordsOf(bytes: Uint8Array): EventRecord[] {
  const lines = Buffer.from(bytes).toString().split("\n").slice(0, -1);
  return lines.map((line) => JSON.parse(line));
}

function endJob(dir: string): void {
  if (!existsSync(join(dir, "spec.json"))) return;
  const { scope }: { scope: string } = JSON.parse(readFileSync(join(dir, "spec.json"), "utf8"));
  killScope("PLUGIN_RUNNER_SCOPE", scope);
}
