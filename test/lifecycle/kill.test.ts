import assert from "node:assert/strict";
import { readFileSync, writeFileSync } from "node:fs";
import { test } from "node:test";
import { setTimeout as delay } from "node:timers/promises";
import { JobState } from "../../gen/ts/pluginrunner/v1/job_pb.ts";
import { startTime } from "../../src/util/process.ts";
import { hasProgress, lastOf, openChannel, recordStream, recordWatch } from "../support/recorded-watch.ts";
import { fixtures, startServer } from "../support/server.ts";
import { type validateWatch, validateWholeWatch } from "../support/watch-validator.ts";
import { begun, eventually, roots, scratch } from "./scratch.ts";

test("kill -9 at any moment of a job's life: it runs once, goes on, and its watch stays whole", async (t) => {
  const files = scratch(t);
  await using server = await startServer({ roots });
  const { client } = server;
  const random = seeded(20_260_701);
  for (let round = 0; round < 10; round++) {
    const job = await client.submitJob("counted", "steps", { starts: files.starts, count: 8, pauseMs: 20 });
    const watched = recordWatch(server.address, job.id);
    // From before the process has started to after it has ended.
    await delay(random() * 700);
    await server.end("SIGKILL");
    await server.start();
    const events = validateWholeWatch(await watched);
    assert.equal(await job.result(), 8);
    assert.deepEqual(progressOf(events), [1, 2, 3, 4, 5, 6, 7, 8], `round ${round}`);
  }
  assert.deepEqual(files.counted(), { jobs: 10, starts: 10 });
});

test("kill -9 as soon as a job is acknowledged: it is started by the next server, and once", async (t) => {
  const files = scratch(t);
  await using server = await startServer({ roots });
  const { client } = server;
  for (let round = 0; round < 4; round++) {
    const job = await client.submitJob("counted", "quick", { starts: files.starts });
    await server.end("SIGKILL");
    await server.start();
    assert.equal(await job.result(), "quick");
  }
  assert.deepEqual(files.counted(), { jobs: 4, starts: 4 });
});

test("a job that runs while the server is killed again and again is carried by each, and ends once", async (t) => {
  const files = scratch(t);
  await using server = await startServer({ roots });
  const { client } = server;
  const job = await client.submitJob("counted", "hold", files.params);
  const watched = recordWatch(server.address, job.id);
  const channel = openChannel(server.address);
  t.after(() => channel.close());
  for (let round = 0; round < 3; round++) {
    await recordStream(channel, job.id, { until: hasProgress });
    await server.end("SIGKILL");
    await server.start();
  }
  assert.equal((await client.getJob(job.id)).state, JobState.RUNNING);
  writeFileSync(files.release, "");
  assert.equal(await job.result(), "released");
  validateWholeWatch(await watched);
  assert.deepEqual(files.counted(), { jobs: 1, starts: 1 });
});

test("a job that ended while no server ran is told as it was by the next", async (t) => {
  const files = scratch(t);
  await using server = await startServer({ roots });
  const channel = openChannel(server.address);
  t.after(() => channel.close());
  const job = await server.client.submitJob("counted", "hold", files.params);
  const before = await recordStream(channel, job.id, { until: hasProgress });
  await server.end("SIGKILL");
  writeFileSync(files.release, "");
  await server.start();
  assert.equal(await job.result(), "released");
  const after = await recordWatch(server.address, job.id, { after: lastOf(before) });
  validateWholeWatch([before, ...after]);
});

test("50 watchers of one job lose nothing and see nothing twice over a kill -9", async (t) => {
  const files = scratch(t);
  await using server = await startServer({ roots });
  const job = await server.client.submitJob("counted", "steps", { starts: files.starts, count: 100, pauseMs: 15 });
  const some = Promise.withResolvers<void>();
  const watches = Array.from({ length: 50 }, () =>
    recordWatch(server.address, job.id, {
      until: ({ update }) => {
        if (update.case === "events" && update.value.events.some((event) => event.sequence > 20n)) some.resolve();
        return false;
      },
    }),
  );
  await some.promise;
  await server.end("SIGKILL");
  await server.start();
  const histories = (await Promise.all(watches)).map(validateWholeWatch);
  for (const events of histories) assert.deepEqual(events, histories[0]);
  assert.equal(progressOf(histories[0] ?? []).length, 100);
  assert.deepEqual(files.counted(), { jobs: 1, starts: 1 });
});

test("a worker that a killed server left in an endless loop is ended by the next one", async (t) => {
  const files = scratch(t);
  await using server = await startServer({ roots });
  const run = server.client.runPlugin("counted", "spin", { starts: files.starts }, { mode: "task" });
  const lost = assert.rejects(run);
  await begun(files);
  const pid = Number(readFileSync(files.starts, "utf8"));
  await server.end("SIGKILL");
  await lost;
  assert.notEqual(startTime(pid), undefined);
  await server.start();
  await eventually(() => startTime(pid) === undefined);
});

test("the pool that a plugin keeps for its next calls ends with a killed server, too", async () => {
  await using server = await startServer({ roots: [fixtures] });
  const pids = await server.client.runPlugin("python-leaving", "pooled");
  assert.ok(Array.isArray(pids) && pids.length > 0);
  await server.end("SIGKILL");
  await eventually(() => pids.every((pid) => startTime(Number(pid)) === undefined));
});

function progressOf(events: ReturnType<typeof validateWatch>): number[] {
  return events.flatMap(({ payload }) => (payload.case === "progress" ? [payload.value.current] : []));
}

/** A small generator of numbers from 0 to 1: the same moments in every run. */
function seeded(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state * 1_664_525 + 1_013_904_223) % 2 ** 32;
    return state / 2 ** 32;
  };
}
