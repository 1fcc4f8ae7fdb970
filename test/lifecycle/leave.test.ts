import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import { test } from "node:test";
import { create } from "@bufbuild/protobuf";
import { JobState } from "../../gen/ts/pluginrunner/v1/job_pb.ts";
import { PluginRunner, WatchJobsRequestSchema } from "../../gen/ts/pluginrunner/v1/plugin_runner_pb.ts";
import { watchHealth } from "../support/health.ts";
import { hasProgress, lastOf, openChannel, recordStream, recordWatch } from "../support/recorded-watch.ts";
import { startServer } from "../support/server.ts";
import { validateWholeWatch } from "../support/watch-validator.ts";
import { begun, roots, scratch } from "./scratch.ts";

test("on SIGTERM health says NOT_SERVING at once, and calls are still taken for the leave delay", async () => {
  await using server = await startServer({ roots, args: ["--leave-delay", "1s"] });
  const said: unknown[] = [];
  let ended: Promise<number | null> | undefined;
  for await (const word of watchHealth(server.address)) {
    said.push(word);
    if (ended) break;
    ended = server.end("SIGTERM");
  }
  assert.deepEqual(said, ["SERVING", "NOT_SERVING"]);
  assert.equal(await server.client.runPlugin("counted", "quick", { starts: "" }), "quick");
  assert.equal(await ended, 0);
});

for (const mode of ["local", "task"] as const) {
  test(`on SIGTERM a ${mode} run that was accepted finishes, however long after the grace`, async (t) => {
    const files = scratch(t);
    await using server = await startServer({ roots, args: ["--local", "worker", "--grace", "50ms"] });
    const run = server.client.runPlugin("counted", "hold", files.params, { mode });
    await begun(files);
    const ended = server.end("SIGTERM");
    await server.logged("leaving");
    writeFileSync(files.release, "");
    assert.equal(await run, "released");
    assert.equal(await ended, 0);
  });
}

test("on SIGTERM the server ends, whatever an action has left running in it", async () => {
  await using server = await startServer({ roots });
  assert.equal(await server.client.runPlugin("counted", "linger"), "lingers");
  assert.equal(await server.end("SIGTERM"), 0);
});

test("on SIGTERM watchers are told to come back, the job goes on, and the next server tells its end", async (t) => {
  const files = scratch(t);
  await using server = await startServer({ roots });
  const channel = openChannel(server.address);
  t.after(() => channel.close());
  const job = await server.client.submitJob("counted", "hold", files.params);
  const running = Promise.withResolvers<void>();
  const first = recordStream(channel, job.id, {
    until: (message) => {
      if (hasProgress(message)) running.resolve();
      return false;
    },
  });
  const list = channel.stream(PluginRunner.method.watchJobs, create(WatchJobsRequestSchema));
  assert.equal((await list.next()).value?.update.case, "snapshot");
  await running.promise;
  const ended = server.end("SIGTERM");
  const stream = await first;
  assert.equal(stream.messages.at(-1)?.update.case, "reconnect");
  const told: unknown[] = [];
  for await (const { update } of list) told.push(update.case);
  assert.equal(told.at(-1), "reconnect");
  assert.equal(await ended, 0);
  writeFileSync(files.release, "");
  await server.start();
  const rest = await recordWatch(server.address, job.id, { after: lastOf(stream) });
  validateWholeWatch([stream, ...rest]);
  assert.equal((await server.client.getJob(job.id)).state, JobState.SUCCEEDED);
  assert.deepEqual(files.counted(), { jobs: 1, starts: 1 });
});

test("on SIGTERM a job that waits for a slot is left to the next server", async (t) => {
  const files = scratch(t);
  await using server = await startServer({ roots, args: ["--max-running-jobs", "1"] });
  const first = await server.client.submitJob("counted", "hold", files.params);
  await begun(files);
  const second = await server.client.submitJob("counted", "quick", files.params);
  assert.equal(await server.end("SIGTERM"), 0);
  writeFileSync(files.release, "");
  await server.start();
  assert.deepEqual([await first.result(), await second.result()], ["released", "quick"]);
  assert.deepEqual(files.counted(), { jobs: 2, starts: 2 });
});
