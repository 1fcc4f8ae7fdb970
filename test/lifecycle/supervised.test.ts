import assert from "node:assert/strict";
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, watch, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { JobState } from "../../gen/ts/pluginrunner/v1/job_pb.ts";
import { claimJob } from "../../src/runtime/claim-job.ts";
import { recordWatch } from "../support/recorded-watch.ts";
import { project, startServer, type TestServer } from "../support/server.ts";
import { withoutSmallDisk as skip, smallDisk } from "../support/small-disk.ts";
import { validateWholeWatch } from "../support/watch-validator.ts";
import { eventually } from "./scratch.ts";

const roots = [join(project, "test/fixtures/supervised")];
const plugins = ["talks", "talks_in_python"] as const;

for (const plugin of plugins) {
  test(`a job that talks, reports and returns on a full disk loses none of its reports nor its result (${plugin})`, {
    skip,
  }, async (t) => {
    using disk = smallDisk("size=8m");
    const stages = stagesOf(t);
    await using server = await startServer({ roots, dataDir: join(disk.path, "data"), args: ["--disk-reserve", "0"] });
    const job = await server.client.submitJob(plugin, "talk", { dir: stages.dir });
    const watched = recordWatch(server.address, job.id);
    await stages.reached("begun");
    disk.fill(0);
    stages.say("full");
    await stages.reached("talked");
    stages.say("release");
    await stages.reached("returned");
    disk.free();
    assert.equal(await job.result(), "kept");
    const events = validateWholeWatch(await watched);
    const progress = events.flatMap(({ payload }) => (payload.case === "progress" ? [payload.value.current] : []));
    assert.deepEqual(
      progress,
      [...progress].sort((a, b) => a - b),
    );
    assert.ok(!events.some(({ payload }) => payload.case === "log" && /could not be read/.test(payload.value.message)));
  });

  test(`a job is cancelled while the disk is full (${plugin})`, { skip }, async (t) => {
    using disk = smallDisk("size=8m");
    const stages = stagesOf(t);
    await using server = await startServer({ roots, dataDir: join(disk.path, "data"), args: ["--disk-reserve", "0"] });
    const job = await server.client.submitJob(plugin, "talk", { dir: stages.dir });
    await stages.reached("begun");
    disk.fill(0);
    await job.cancel();
    await stages.reached("returned");
    disk.free();
    await assert.rejects(job.result(), { reason: "CANCELLED" });
  });

  test(`what a platform ends with everything else is no success (${plugin})`, async (t) => {
    const stages = stagesOf(t);
    await using server = await startServer({ roots });
    const job = await server.client.submitJob(plugin, "talk", { dir: stages.dir });
    await stages.reached("begun");
    for (const pid of [...processesOf(server, job.id), server.pid]) process.kill(pid, "SIGTERM");
    await stages.reached("returned");
    await server.end("SIGKILL");
    await server.start();
    await assert.rejects(job.result(), { reason: "WORKER_LOST" });
    const { state, error } = await server.client.getJob(job.id);
    assert.deepEqual([state, error?.metadata.signal], [JobState.FAILED, "SIGTERM"]);
    assert.deepEqual(error?.partialResult?.kind, { case: "stringValue", value: "kept" });
  });
}

test("a job is claimed once there is room, and leaves no drafts", { skip }, async (t) => {
  using disk = smallDisk("size=64k");
  disk.fill(0);
  const write = t.mock.method(process.stderr, "write", () => true);
  const claimed = claimJob(disk.path);
  await eventually(() => write.mock.callCount() > 0);
  disk.free();
  assert.equal(await claimed, true);
  assert.deepEqual(readdirSync(disk.path), ["started"]);
});

/** A directory that an action is told things in, and tells how far it is. */
function stagesOf(t: TestContext) {
  const dir = mkdtempSync(join(tmpdir(), "supervised-"));
  t.after(() => rmSync(dir, { recursive: true, force: true }));
  return {
    dir,
    say: (stage: string) => writeFileSync(join(dir, stage), ""),
    reached: async (stage: string) => {
      const changes = watch(dir);
      const { promise, resolve } = Promise.withResolvers<void>();
      const look = () => existsSync(join(dir, stage)) && resolve();
      changes.on("change", look);
      look();
      await promise;
      changes.close();
    },
  };
}

/** A job's supervisor, and its child. */
function processesOf({ dataDir }: TestServer, jobId: string): number[] {
  const dir = join(dataDir, "jobs", jobId);
  const { pid }: { pid: number } = JSON.parse(readFileSync(join(dir, "started"), "utf8"));
  const [, child] = /"pid":\s*(\d+)/.exec(readFileSync(join(dir, "events.jsonl"), "utf8")) ?? [];
  return [pid, Number(child)];
}
