import assert from "node:assert/strict";
import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { JobState } from "../../gen/ts/pluginrunner/v1/job_pb.ts";
import { ExecutionError } from "../../src/client.ts";
import { kill, startTime } from "../../src/util/process.ts";
import type { ProcessIdentity } from "../../src/worker/messages.ts";
import { TcpProxy } from "../support/proxy.ts";
import { openChannel, recordStream, recordWatch } from "../support/recorded-watch.ts";
import { startServer, type TestServer } from "../support/server.ts";
import { validateWholeWatch } from "../support/watch-validator.ts";
import { begun, eventually, roots, scratch } from "./scratch.ts";

test("a watch whose connection is cut again and again is whole in the end", async () => {
  await using server = await startServer({ roots });
  await using proxy = await TcpProxy.listen(server.address);
  const job = await server.client.submitJob("counted", "steps", { starts: "", count: 300, pauseMs: 10 });
  let messages = 0;
  const streams = await recordWatch(proxy.address, job.id, {
    until: () => {
      messages++;
      if (messages % 4 === 0) proxy.cut();
      return false;
    },
  });
  const events = validateWholeWatch(streams);
  assert.ok(streams.length > 2, "the watch was cut");
  assert.equal(events.filter(({ payload }) => payload.case === "progress").length, 300);
});

test("the death of a job's supervisor fails the job, and leaves nothing of it alive", async () => {
  await using server = await startServer({ roots });
  const job = await server.client.submitJob("counted", "family");
  const pids = await familyOf(server, job.id);
  kill(supervisorOf(server, job.id), "SIGKILL");
  await assert.rejects(job.result(), (error) => error instanceof ExecutionError && error.reason === "WORKER_LOST");
  await eventually(() => pids.every((pid) => startTime(pid) === undefined));
});

test("so does a death while no server ran", async () => {
  await using server = await startServer({ roots });
  const job = await server.client.submitJob("counted", "family");
  const pids = await familyOf(server, job.id);
  await server.end("SIGKILL");
  kill(supervisorOf(server, job.id), "SIGKILL");
  await server.start();
  await assert.rejects(job.result(), (error) => error instanceof ExecutionError && error.reason === "WORKER_LOST");
  await eventually(() => pids.every((pid) => startTime(pid) === undefined));
});

test("a cancelled job leaves nothing alive, also over a kill -9 of the server", async () => {
  await using server = await startServer({ roots });
  const job = await server.client.submitJob("counted", "family");
  const pids = await familyOf(server, job.id);
  assert.equal((await job.cancel()).state, JobState.CANCELLING);
  await server.end("SIGKILL");
  await server.start();
  await assert.rejects(job.result(), (error) => error instanceof ExecutionError && error.reason === "CANCELLED");
  await eventually(() => pids.every((pid) => startTime(pid) === undefined));
});

test("watchers that do not read cost bounded memory, delay nobody, and get every event in the end", async (t) => {
  await using server = await startServer({ roots, args: ["--job-output-limit", "64MiB"] });
  const channel = openChannel(server.address);
  t.after(() => channel.close());
  const flood = () => server.client.submitJob("counted", "flood", { count: 20_000 });
  // What such a job costs by itself is not what is measured.
  validateWholeWatch(await recordWatch(server.address, (await flood()).id));
  const before = residentMib(server);
  const job = await flood();
  const resume = Promise.withResolvers<void>();
  const slow = Array.from({ length: 16 }, () => recordStream(channel, job.id, { hold: resume.promise }));
  const quick = validateWholeWatch(await recordWatch(server.address, job.id));
  const grown = residentMib(server) - before;
  assert.ok(grown < 100, `16 slow watchers of 20 MiB made the server grow by ${grown} MiB`);
  resume.resolve();
  for (const stream of await Promise.all(slow)) assert.equal(validateWholeWatch([stream]).length, quick.length);
});

test("a plugin that is deleted while the server is down takes no job with it, and no new one is taken", async (t) => {
  const files = scratch(t);
  const root = mkdtempSync(join(tmpdir(), "lifecycle-root-"));
  t.after(() => rmSync(root, { recursive: true, force: true }));
  cpSync(roots[0] ?? "", root, { recursive: true });
  await using server = await startServer({ roots: [root], args: ["--max-running-jobs", "1"] });
  const running = await server.client.submitJob("counted", "hold", files.params);
  await begun(files);
  const waiting = await server.client.submitJob("counted", "quick", files.params);
  await server.end("SIGKILL");
  rmSync(join(root, "counted"), { recursive: true });
  await server.start();
  const late = server.client.submitJob("counted", "quick", files.params);
  await assert.rejects(late, ({ reason }) => reason === "PLUGIN_NOT_FOUND");
  writeFileSync(files.release, "");
  assert.equal(await running.result(), "released");
  assert.equal(await waiting.result(), "quick");
  assert.deepEqual(files.counted(), { jobs: 2, starts: 2 });
});

/** The processes of the fixture's action `family`: of the action, and what it started. */
async function familyOf(server: TestServer, jobId: string): Promise<number[]> {
  const pids: number[] = [];
  for await (const { event } of server.client.watchJob(jobId)) {
    if (event?.payload.case !== "log") continue;
    const [, name, pid] = /(\w+) (\d+)/.exec(event.payload.value.message) ?? [];
    if (name) pids.push(Number(pid));
    if (pids.length === 2) break;
  }
  return pids;
}

function supervisorOf({ dataDir }: TestServer, jobId: string): number {
  const identity: ProcessIdentity = JSON.parse(readFileSync(join(dataDir, "jobs", jobId, "started"), "utf8"));
  return identity.pid;
}

function residentMib({ pid }: TestServer): number {
  const [, kib] = /VmRSS:\s+(\d+) kB/.exec(readFileSync(`/proc/${pid}/status`, "utf8")) ?? [];
  return Number(kib) / 1024;
}
