import assert from "node:assert/strict";
import { renameSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { create } from "@bufbuild/protobuf";
import { PluginRunner, SubmitJobRequestSchema } from "../../gen/ts/pluginrunner/v1/plugin_runner_pb.ts";
import { RunnerError } from "../../src/client.ts";
import { command } from "../cli/command.ts";
import { watchHealth } from "../support/health.ts";
import { openChannel } from "../support/recorded-watch.ts";
import { startServer, type TestServer } from "../support/server.ts";
import { withoutSmallDisk as skip, smallDisk } from "../support/small-disk.ts";
import { roots, scratch } from "./scratch.ts";

const jobMode = "pluginrunner.v1.PluginRunner/job";

/** A server on a data directory of its own, and what its health says of jobs, change by change. */
async function startOn(t: TestContext, dataDir: string, args: readonly string[] = ["--disk-reserve", "0"]) {
  const server = await startServer({ roots, args: ["--data-dir", dataDir, ...args] });
  const health = watchHealth(server.address, jobMode);
  t.after(async () => {
    await health.return();
    await server[Symbol.asyncDispose]();
  });
  const becomes = async (status: string) => assert.equal((await health.next()).value, status);
  await becomes("SERVING");
  return { server, becomes, ...scratch(t) };
}

/** The refusal of a job, without the client's own tries. */
async function refusal({ address }: TestServer, jobId = ""): Promise<RunnerError> {
  const channel = openChannel(address);
  try {
    const request = create(SubmitJobRequestSchema, { plugin: "counted", action: "quick", jobId });
    for await (const _ of channel.stream(PluginRunner.method.submitJob, request)) assert.fail("It was taken.");
  } catch (error) {
    assert.ok(error instanceof RunnerError);
    return error;
  } finally {
    channel.close();
  }
  return assert.fail("It ended without a word.");
}

async function assertRefuses(server: TestServer, code: string, message: RegExp): Promise<void> {
  const error = await refusal(server, "refused");
  assert.deepEqual([error.reason, error.metadata.code], ["STORAGE_UNAVAILABLE", code]);
  assert.match(error.message, message);
  assert.ok(error.retryAfterMs);
  await assert.rejects(server.client.getJob("refused"), { reason: "JOB_NOT_FOUND" });
  const { warnings } = await server.client.serverInfo();
  assert.partialDeepStrictEqual(warnings, [{ reason: "STORAGE_UNAVAILABLE", message: error.message }]);
  assert.equal(warnings[0]?.metadata.code, code);
}

async function assertTakes(server: TestServer, params: object): Promise<void> {
  const job = await server.client.submitJob("counted", "quick", params);
  assert.equal(await job.result(), "quick");
  assert.deepEqual((await server.client.serverInfo()).warnings, []);
}

/** The lines of the log about the data directory. */
function told(server: TestServer): string[] {
  return server
    .log()
    .split("\n")
    .filter((line) => /new jobs are/.test(line))
    .map((line) => line.slice(25, 30).trim());
}

test("below the reserve new jobs are refused, runs and reads go on, and with room they are taken again", {
  skip,
}, async (t) => {
  using disk = smallDisk("size=16m");
  const { server, becomes, params } = await startOn(t, join(disk.path, "data"), []);
  const known = await server.client.submitJob("counted", "quick", params, { jobId: "known" });
  await known.result();
  disk.fill(64 * 1024);
  await becomes("NOT_SERVING");
  await assertRefuses(server, "reserve", /nearly full: .* MiB of 16\.0 MiB are free.*--disk-reserve/);
  assert.deepEqual(Object.keys((await refusal(server)).metadata).sort(), ["code", "free_bytes", "reserve_bytes"]);
  for (const mode of ["local", "task"] as const) {
    assert.equal(await server.client.runPlugin("counted", "quick", params, { mode }), "quick");
  }
  assert.equal((await server.client.submitJob("counted", "quick", params, { jobId: "known" })).id, "known");
  const overall = watchHealth(server.address);
  assert.equal((await overall.next()).value, "SERVING");
  await overall.return();
  disk.free();
  await becomes("SERVING");
  await assertTakes(server, params);
  assert.deepEqual(told(server), ["error", "info"]);
});

test("a job that fills the disk is one trouble in the log, and with room the service is well again", {
  skip,
}, async (t) => {
  using disk = smallDisk("size=64m"); // with room for all that the job says
  const { server, becomes, params } = await startOn(t, join(disk.path, "data"), []);
  disk.fill(4 * 1024 ** 2);
  const job = await server.client.submitJob("counted", "steps", { ...params, count: 40_000, pauseMs: 0 });
  await becomes("NOT_SERVING");
  await assertRefuses(server, "reserve", /nearly full/);
  await server.logged("could not be carried on");
  disk.free();
  await becomes("SERVING");
  await job.cancel();
  await assertTakes(server, params);
  assert.deepEqual(told(server), ["error", "info"]);
});

test("a data directory that is moved away is missed, and taken up again when it is back", async (t) => {
  const { dir, ...files } = scratch(t);
  const data = join(dir, "data");
  const { server, becomes } = await startOn(t, data);
  renameSync(data, join(dir, "away"));
  await becomes("NOT_SERVING");
  await assertRefuses(server, "moved", /is gone: move it back/);
  const sick = await command(["doctor", "--address", server.address]);
  assert.equal(sick.code, 5);
  assert.match(sick.out, /^FAIL storage +The data directory .* is gone: .* Since 2\d{3}-.*Z\.$/m);
  renameSync(join(dir, "away"), data);
  await becomes("SERVING");
  const well = await command(["doctor", "--address", server.address]);
  assert.deepEqual([well.code, /FAIL/.test(well.out)], [0, false]);
  assert.match(well.out, /^ok {3}service +\S+ at .* \(embedded engine; local, task, job\)$/m);
  await assertTakes(server, files.params);
  assert.deepEqual(told(server), ["error", "info"]);
});

test("a job that is submitted right after the directory is gone is not acknowledged into nothing", async (t) => {
  const { dir } = scratch(t);
  const { server } = await startOn(t, join(dir, "data"));
  renameSync(join(dir, "data"), join(dir, "away"));
  await assertRefuses(server, "moved", /is gone/);
});

test("a database or its lock that is replaced, and a file in the place of a directory, are named", async (t) => {
  const { dir, ...files } = scratch(t);
  const data = join(dir, "data");
  const { server, becomes } = await startOn(t, data);
  await assertTakes(server, files.params); // which makes the directory of jobs, at the latest
  for (const [name, code, message] of [
    ["jobs.sqlite", "moved", /jobs\.sqlite was removed or replaced under the running service/],
    ["jobs.sqlite-wal", "moved", /jobs\.sqlite-wal was removed or replaced/],
    [
      "jobs.sqlite.lock",
      "moved",
      /jobs\.sqlite\.lock was removed or replaced .* another service could take the same data/,
    ],
    ["jobs", "ENOTDIR", /jobs is not a directory: move it away/],
    ["work", "ENOTDIR", /work is not a directory: move it away/],
    ["artifacts", "ENOTDIR", /artifacts is not a directory: move it away/],
  ] as const) {
    renameSync(join(data, name), join(dir, "away"));
    writeFileSync(join(data, name), "");
    await becomes("NOT_SERVING");
    await assertRefuses(server, code, message);
    rmSync(join(data, name));
    renameSync(join(dir, "away"), join(data, name));
    await becomes("SERVING");
  }
  await assertTakes(server, files.params);
});

test("a run for which the disk takes no directory is refused as nothing that has started, and runs once it does", {
  skip,
}, async (t) => {
  using disk = smallDisk("size=16m,nr_inodes=80");
  const { server, params } = await startOn(t, join(disk.path, "data"));
  const fillers = Array.from({ length: 80 }, (_, at) => join(disk.path, `filler-${at}`));
  assert.throws(() => {
    for (const path of fillers) writeFileSync(path, "");
  }, /ENOSPC/);
  await assert.rejects(server.client.runPlugin("counted", "quick", params, { mode: "task" }), (error) => {
    assert.ok(error instanceof RunnerError);
    assert.deepEqual([error.reason, error.metadata.code], ["STORAGE_UNAVAILABLE", "ENOSPC"]);
    return true;
  });
  for (const path of fillers) rmSync(path, { force: true });
  assert.equal(await server.client.runPlugin("counted", "quick", params, { mode: "task" }), "quick");
});

test("a run whose worker would start in a directory that is another says so", async (t) => {
  const { dir, params } = scratch(t);
  const data = join(dir, "data");
  const { server } = await startOn(t, data, ["--max-workers", "2"]);
  assert.equal(await server.client.runPlugin("counted", "quick", params, { mode: "task" }), "quick");
  renameSync(data, join(dir, "away"));
  writeFileSync(data, ""); // which keeps a Python that is just starting from making it anew
  const env = { NODE_OPTIONS: "--no-warnings" }; // for which a worker of its own is started
  await assert.rejects(server.client.runPlugin("counted", "quick", params, { mode: "task", env }), (error) => {
    assert.ok(error instanceof RunnerError);
    assert.deepEqual([error.reason, error.metadata.code], ["STORAGE_UNAVAILABLE", "moved"]);
    return true;
  });
});
