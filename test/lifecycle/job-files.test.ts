import assert from "node:assert/strict";
import { cpSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { JobState } from "../../gen/ts/pluginrunner/v1/job_pb.ts";
import { ExecutionError } from "../../src/client.ts";
import { kill, startTime } from "../../src/util/process.ts";
import type { ProcessIdentity } from "../../src/worker/messages.ts";
import { startServer, type TestServer } from "../support/server.ts";
import { begun, eventually, roots, scratch } from "./scratch.ts";

/** What a power cut, a full disk or a hand can leave where a job's file was. */
const debris: Readonly<Record<string, (file: string) => void>> = {
  "an empty file": (file) => writeFileSync(file, ""),
  zeros: (file) => writeFileSync(file, Buffer.alloc(64)),
  "half a line": (file) => writeFileSync(file, '{"pid":4'),
  text: (file) => writeFileSync(file, "restored from tape 7"),
  "another type": (file) => writeFileSync(file, '{"pid":"1","start_time":5}'),
  "a directory": (file) => mkdirSync(join(file, "within"), { recursive: true }),
};

test("whatever stands where a claim was, a job whose process is gone ends, and its slot is free", async (t) => {
  const kinds = Object.entries(debris);
  const { server, jobs, dirs } = await heldJobs(t, kinds.length);
  await server.end("SIGKILL");
  for (const [index, dir] of dirs.entries()) {
    kill(supervisorIn(dir), "SIGKILL");
    rmSync(join(dir, "started"));
    kinds[index]?.[1](join(dir, "started"));
  }
  await server.start(["--max-running-jobs", "1"]);
  for (const job of jobs) {
    await assert.rejects(job.result(), isLost(/cannot be read/));
    await server.client.deleteJob(job.id);
  }
  assert.equal(await (await server.client.submitJob("counted", "quick", { starts: "" })).result(), "quick");
  assert.deepEqual(readdirSync(join(server.dataDir, "jobs")).length, 1);
});

test("whatever stands where events, spec and mark were, a job that runs ends with its processes", async (t) => {
  const kinds = Object.entries(debris);
  const { server, jobs, dirs, files } = await heldJobs(t, kinds.length);
  const pids = dirs.map(supervisorIn);
  await server.end("SIGKILL");
  for (const [index, dir] of dirs.entries()) {
    for (const name of ["events.jsonl", "spec.json", "job.json"]) {
      rmSync(join(dir, name));
      kinds[index]?.[1](join(dir, name));
    }
  }
  await server.start();
  writeFileSync(files.release, "");
  for (const job of jobs) await job.result().catch(isLost(/./));
  await eventually(() => pids.every((pid) => startTime(pid) === undefined));
  for (const job of jobs) await server.client.deleteJob(job.id);
});

test("a job whose claim cannot be read is found by its process, and goes on", async (t) => {
  const { server, job, dir, files } = await heldJob(t);
  await server.end("SIGKILL");
  writeFileSync(join(dir, "started"), "");
  await server.start();
  assert.equal((await server.client.getJob(job.id)).state, JobState.RUNNING);
  writeFileSync(files.release, "");
  assert.equal(await job.result(), "released");
});

test("a job whose events cannot be read ends with its processes", async (t) => {
  const { server, job, dir } = await heldJob(t);
  await server.end("SIGKILL");
  const pid = supervisorIn(dir);
  rmSync(join(dir, "events.jsonl"));
  mkdirSync(join(dir, "events.jsonl"));
  await server.start();
  await assert.rejects(job.result(), isLost(/events.*it is no file/));
  await eventually(() => startTime(pid) === undefined);
});

test("a job whose directory vanishes while it runs ends, says so, and leaves nothing alive", async (t) => {
  const { job, dir } = await heldJob(t);
  const pid = supervisorIn(dir);
  renameSync(dir, `${dir}.away`);
  await assert.rejects(job.result(), isLost(/directory is gone/));
  await eventually(() => startTime(pid) === undefined);
});

test("jobs wait while the directory of all jobs is away, and go on once it is back", async (t) => {
  const { server, job, dir, files } = await heldJob(t);
  const jobs = join(dir, "..");
  renameSync(jobs, `${jobs}.away`);
  await server.logged("is gone");
  renameSync(`${jobs}.away`, jobs);
  writeFileSync(files.release, "");
  assert.equal(await job.result(), "released");
});

test("a directory of a job that the database does not know answers for no other, and its processes end", async (t) => {
  const { server, dir, files } = await heldJob(t);
  const first = await server.client.submitJob("counted", "quick", { starts: files.starts }, { jobId: "again" });
  await first.result();
  const pid = supervisorIn(dir);
  await server.end("SIGKILL");
  for (const name of readdirSync(server.dataDir)) {
    if (name.startsWith("jobs.sqlite")) rmSync(join(server.dataDir, name));
  }
  await server.start();
  await eventually(() => startTime(pid) === undefined);
  assert.match(server.log(), /set aside/);
  assert.equal(readdirSync(join(server.dataDir, "set-aside")).length, 2);
  const anew = await server.client.submitJob(
    "counted",
    "steps",
    { starts: files.starts, count: 2 },
    { jobId: "again" },
  );
  assert.equal(await anew.result(), 2);
});

test("a directory that appears under the id of a new job is set aside", async (t) => {
  await using server = await startServer({ roots });
  const dir = join(server.dataDir, "jobs", "planted");
  mkdirSync(dir);
  writeFileSync(join(dir, "started"), JSON.stringify({ pid: 0, start_time: "none" }));
  writeFileSync(
    join(dir, "events.jsonl"),
    '{"type":"result","time":1,"value":"old"}\n{"type":"exit","time":1,"code":0}\n',
  );
  const job = await server.client.submitJob("counted", "quick", { starts: scratch(t).starts }, { jobId: "planted" });
  assert.equal(await job.result(), "quick");
});

test("a server on a copy of a data directory leaves the original's job alone, and says why its own ended", async (t) => {
  const { server, job, dir, files } = await heldJob(t);
  const pid = supervisorIn(dir);
  const copy = mkdtempSync(join(tmpdir(), "plugin-runner-copy-"));
  cpSync(server.dataDir, copy, { recursive: true });
  await using second = await startServer({ roots, dataDir: copy });
  const { state, error } = await ended(second, job.id);
  assert.deepEqual([state, error?.reason], [JobState.FAILED, "WORKER_LOST"]);
  assert.match(error?.message ?? "", /is a copy of/);
  await second.client.deleteJob(job.id);
  assert.notEqual(startTime(pid), undefined);
  writeFileSync(files.release, "");
  assert.equal(await job.result(), "released");
});

test("a data directory that was renamed goes on following its jobs", async (t) => {
  const { server, job, files } = await heldJob(t);
  await server.end("SIGKILL");
  const moved = `${server.dataDir}-moved`;
  renameSync(server.dataDir, moved);
  await using second = await startServer({ roots, dataDir: moved });
  writeFileSync(files.release, "");
  assert.equal((await ended(second, job.id)).state, JobState.SUCCEEDED);
});

test("a supervisor that was stopped does not switch off its job's timeout", async (t) => {
  await using server = await startServer({ roots, args: ["--grace", "0.1s"] });
  const files = scratch(t);
  const job = await server.client.submitJob("counted", "hold", files.params, { timeoutMs: 2000 });
  await begun(files);
  const pid = supervisorIn(join(server.dataDir, "jobs", job.id));
  kill(pid, "SIGSTOP");
  await assert.rejects(job.result(), (error) => error instanceof ExecutionError && error.reason === "DEADLINE");
  await eventually(() => startTime(pid) === undefined);
});

/** A job that runs until its file `release` comes. */
async function heldJob(t: TestContext) {
  const { server, files, jobs, dirs } = await heldJobs(t, 1);
  const [[job], [dir]] = [jobs, dirs];
  assert.ok(job && dir);
  return { server, files, job, dir };
}

async function heldJobs(t: TestContext, count: number) {
  const server = await startServer({ roots, args: ["--max-running-jobs", String(count + 1)] });
  t.after(() => server[Symbol.asyncDispose]());
  const files = scratch(t);
  const submit = () => server.client.submitJob("counted", "hold", files.params);
  const jobs = await Promise.all(Array.from({ length: count }, submit));
  await begun(files, count);
  return { server, files, jobs, dirs: jobs.map(({ id }) => join(server.dataDir, "jobs", id)) };
}

/** A job as it is once it has ended. */
async function ended({ client }: TestServer, jobId: string) {
  for await (const _update of client.watchJob(jobId));
  return client.getJob(jobId);
}

function supervisorIn(dir: string): number {
  const { pid }: ProcessIdentity = JSON.parse(readFileSync(join(dir, "started"), "utf8"));
  return pid;
}

function isLost(message: RegExp) {
  return (error: unknown) =>
    error instanceof ExecutionError && error.reason === "WORKER_LOST" && message.test(error.message);
}
