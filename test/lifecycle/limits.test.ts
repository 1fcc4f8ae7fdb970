import assert from "node:assert/strict";
import { existsSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { JobState } from "../../gen/ts/pluginrunner/v1/job_pb.ts";
import { RunnerError } from "../../src/client.ts";
import { openChannel, recordStream, recordWatch } from "../support/recorded-watch.ts";
import { startServer } from "../support/server.ts";
import { validateWatch } from "../support/watch-validator.ts";
import { begun, eventually, roots, scratch } from "./scratch.ts";

test("a job beyond the slots says what it waits for, and one that is cancelled meanwhile never starts", async (t) => {
  const files = scratch(t);
  await using server = await startServer({ roots, args: ["--max-running-jobs", "1"] });
  const { client } = server;
  const running = await client.submitJob("counted", "hold", files.params);
  await begun(files);
  const cancelled = await client.submitJob("counted", "quick", files.params);
  const waiting = await client.submitJob("counted", "quick", files.params);
  for (const job of [cancelled, waiting]) {
    for await (const { snapshot, event } of client.watchJob(job.id)) {
      const detail = snapshot?.stateDetail || (event?.payload.case === "stateChanged" && event.payload.value.detail);
      if (detail === "waiting for one of 1 job slots") break;
    }
  }
  await cancelled.cancel();
  await assert.rejects(cancelled.result(), isReason("CANCELLED"));
  assert.equal((await client.getJob(cancelled.id)).startTime, undefined);
  assert.equal((await client.getJob(waiting.id)).state, JobState.PENDING);
  writeFileSync(files.release, "");
  assert.deepEqual([await running.result(), await waiting.result()], ["released", "quick"]);
  assert.deepEqual(files.counted(), { jobs: 2, starts: 2 });
});

test("a job beyond those that may wait is refused, and says when to come again; a known one still attaches", async (t) => {
  const files = scratch(t);
  await using server = await startServer({ roots, args: ["--max-running-jobs", "1", "--max-queued-jobs", "1"] });
  const { client } = server;
  await client.submitJob("counted", "hold", files.params);
  await begun(files);
  await client.submitJob("counted", "quick", files.params, { jobId: "waits" });
  await assert.rejects(client.submitJob("counted", "quick", files.params), (error) => {
    assert.ok(error instanceof RunnerError);
    assert.deepEqual([error.reason, error.metadata], ["OVERLOADED", { limit: "max_queued_jobs", value: "1" }]);
    assert.equal(error.retryAfterMs, 5000);
    return true;
  });
  const again = await client.submitJob("counted", "quick", files.params, { jobId: "waits" });
  assert.equal(again.snapshot.state, JobState.PENDING);
  await assert.rejects(client.submitJob("counted", "hold", {}, { jobId: "waits" }), isReason("JOB_ID_CONFLICT"));
});

test("a run beyond those that may wait is refused while they still wait", async (t) => {
  const files = scratch(t);
  await using server = await startServer({ roots, args: ["--max-workers", "1", "--max-queued-runs", "1"] });
  const { client } = server;
  const ends: string[] = [];
  const run = (name: string) =>
    client.runPlugin("counted", "hold", files.params, { mode: "task" }).finally(() => ends.push(name));
  const first = run("first");
  await begun(files);
  // Which of the two gets the one place to wait is open.
  const others = [run("other"), run("other")];
  const refused = await Promise.race(others.map((other) => other.catch((error: unknown) => error)));
  assert.ok(refused instanceof RunnerError && refused.reason === "OVERLOADED" && (refused.retryAfterMs ?? 0) > 0);
  assert.deepEqual(ends, ["other"]);
  writeFileSync(files.release, "");
  assert.deepEqual(
    (await Promise.allSettled([first, ...others])).filter(({ status }) => status === "fulfilled").length,
    2,
  );
});

test("the time that a run may take holds for loading its code, too", async () => {
  await using server = await startServer({ roots });
  const run = server.client.runPlugin("endless", "run", {}, { timeoutMs: 300 });
  await assert.rejects(run, (error) => error instanceof RunnerError && error.metadata.timeout_seconds === "0.3");
});

test("a job may have a year", async () => {
  await using server = await startServer();
  for (const [plugin, action] of [
    ["echo", "echo"],
    ["greet", "greet"],
  ] as const) {
    const job = await server.client.submitJob(plugin, action, {}, { timeoutMs: 365 * 86_400_000 });
    assert.ok(await job.result());
  }
});

test("a position whose events are no longer kept gets EVENTS_EXPIRED with the oldest that is", async (t) => {
  await using server = await startServer({ roots, args: ["--max-events-per-job", "100"] });
  const channel = openChannel(server.address);
  t.after(() => channel.close());
  const submit = () =>
    server.client.submitJob("counted", "steps", { starts: "", count: 200, pauseMs: 0 }, { jobId: "long" });
  const job = await submit();
  assert.equal(await job.result(), 200);
  // The same submission attaches all the same.
  assert.equal(await (await submit()).result(), 200);
  const { oldestSequence, lastSequence } = await server.client.getJob(job.id);
  assert.ok(oldestSequence > 1n && lastSequence - oldestSequence < 100n);
  await assert.rejects(recordStream(channel, job.id, { after: 0n }), (error) => {
    assert.ok(error instanceof RunnerError && error.reason === "EVENTS_EXPIRED");
    assert.equal(error.metadata.oldest_sequence, String(oldestSequence));
    return true;
  });
  const kept = await recordWatch(server.address, job.id, { after: oldestSequence - 1n });
  assert.equal(validateWatch(kept).length, Number(lastSequence - oldestSequence) + 1);
  await assert.rejects(recordStream(channel, job.id, { after: lastSequence + 1n }), isReason("EVENTS_EXPIRED"));
});

test("a job past its retention goes with its files, and none that has not ended", async (t) => {
  const files = scratch(t);
  await using server = await startServer({ roots });
  const { client } = server;
  const old = await client.submitJob("counted", "quick", { starts: "" });
  await old.result();
  const running = await client.submitJob("counted", "hold", files.params);
  await begun(files);
  await server.end("SIGTERM");
  await server.start(["--job-retention", "1ms"]);
  await eventually(() => client.getJob(old.id).then(() => false, isReason("JOB_NOT_FOUND")));
  assert.equal(existsSync(join(server.dataDir, "jobs", old.id)), false);
  assert.equal((await client.getJob(running.id)).state, JobState.RUNNING);
});

test("a job can be deleted as soon as its last event is known, and not before", async (t) => {
  const files = scratch(t);
  await using server = await startServer({ roots });
  const { client } = server;
  const running = await client.submitJob("counted", "hold", files.params);
  await begun(files);
  await assert.rejects(client.deleteJob(running.id), isReason("JOB_NOT_FINISHED"));
  const jobs = await Promise.all(Array.from({ length: 6 }, () => client.submitJob("counted", "quick", { starts: "" })));
  for (const job of jobs) {
    await job.result();
    await client.deleteJob(job.id);
    await assert.rejects(client.getJob(job.id), isReason("JOB_NOT_FOUND"));
    assert.equal(existsSync(join(server.dataDir, "jobs", job.id)), false);
  }
});

function isReason(reason: string) {
  return (error: unknown) => error instanceof RunnerError && error.reason === reason;
}
