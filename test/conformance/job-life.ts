import assert from "node:assert/strict";
import { timestampFromMs, timestampMs } from "@bufbuild/protobuf/wkt";
import { JobState } from "../../src/client.ts";
import { CallersPort } from "./callers-port.ts";
import type { Engine, Group } from "./engine.ts";
import { collect, failure, languages, payloads, running } from "./run.ts";

/** Jobs as records: their ids, lists and ends. */
export const jobLife: Group = {
  subject: "life of a job",
  concurrency: 4,
  cases(check) {
    for (const language of languages) {
      const plugin = `${language}-reporting`;

      check(
        `the same id with the same content attaches, with other content conflicts (${language})`,
        async ({ client }) => {
          const jobId = `same-${language}`;
          const options = { jobId, labels: { a: "1", b: "2" } };
          const first = await client.submitJob(plugin, "count", { upto: 2 }, options);
          assert.equal(await first.result(), 2);
          const again = await client.submitJob(plugin, "count", { upto: 2 }, { jobId, labels: { b: "2", a: "1" } });
          assert.equal(again.snapshot.state, JobState.SUCCEEDED);
          assert.deepEqual(await collect(again.events()), await collect(first.events()));
          for (const other of [
            client.submitJob(plugin, "count", { upto: 3 }, options),
            client.submitJob(plugin, "report", { upto: 2 }, options),
            client.submitJob(plugin, "count", { upto: 2 }, { ...options, env: { A: "1" } }),
            client.submitJob(plugin, "count", { upto: 2 }, { jobId }),
          ]) {
            const error = await failure(other);
            assert.equal(error.reason, "JOB_ID_CONFLICT");
            assert.equal(error.metadata.job_id, jobId);
          }
        },
      );

      check(`of eight submissions of one id at once, one runs (${language})`, async ({ client }) => {
        await using port = await CallersPort.open();
        const options = { jobId: `eight-${language}` };
        const endless = `${language}-endless`;
        const jobs = await Promise.all(
          Array.from({ length: 8 }, () => client.submitJob(endless, "waiting", { port: port.number }, options)),
        );
        const action = await port.connection();
        action.send("go");
        const results = await Promise.all(jobs.map((job) => job.result()));
        assert.deepEqual(new Set(results), new Set(["go"]));
        assert.equal(port.waiting, 0);
      });

      check(
        `a job that has ended is deleted with its events, one that runs is not (${language})`,
        async ({ client }) => {
          await using port = await CallersPort.open();
          const job = await client.submitJob(`${language}-endless`, "waiting", { port: port.number });
          const action = await port.connection();
          await running(client, job.id);
          const refused = await failure(client.deleteJob(job.id));
          assert.equal(refused.reason, "JOB_NOT_FINISHED");
          assert.equal(refused.metadata.state, "RUNNING");
          action.send("go");
          await collect(job.events());
          await client.deleteJob(job.id);
          for (const gone of [
            client.getJob(job.id),
            client.deleteJob(job.id),
            client.cancelJob(job.id),
            collect(job.events()),
          ]) {
            assert.equal((await failure(gone)).reason, "JOB_NOT_FOUND");
          }
        },
      );
    }

    check("jobs are listed newest first, page by page, by every filter", async (engine) => {
      const { client } = engine;
      const mark = { list: "listed" };
      const from = Date.now();
      const ids: string[] = [];
      for (const upto of [1, 2, 3]) {
        const job = await client.submitJob(
          "python-reporting",
          "count",
          { upto },
          { labels: { ...mark, upto: `${upto}` } },
        );
        ids.unshift(job.id);
        await job.result();
      }
      const failed = await client.submitJob("javascript-reporting", "half", {}, { labels: mark });
      await collect(failed.events());
      const all = [failed.id, ...ids];

      assert.deepEqual(await idsOf(engine, { labels: mark }), all);
      assert.deepEqual(await idsOf(engine, { labels: mark, states: [JobState.FAILED] }), [failed.id]);
      assert.deepEqual(await idsOf(engine, { labels: mark, states: [JobState.FAILED, JobState.SUCCEEDED] }), all);
      assert.deepEqual(await idsOf(engine, { labels: { ...mark, upto: "2" } }), [ids[1]]);
      assert.deepEqual(await idsOf(engine, { labels: mark, action: "count" }), ids);
      assert.deepEqual(await idsOf(engine, { labels: mark, plugin: "javascript-reporting" }), [failed.id]);
      const { createTime } = await client.getJob(String(ids[0]));
      assert.ok(createTime);
      const at = timestampFromMs(timestampMs(createTime));
      assert.deepEqual(await idsOf(engine, { labels: mark, createdAfter: at }), [failed.id, ids[0]]);
      assert.deepEqual(await idsOf(engine, { labels: mark, createdBefore: at }), ids.slice(1));
      assert.deepEqual(await idsOf(engine, { labels: mark, createdBefore: timestampFromMs(from) }), []);
      for await (const job of client.listJobs({ labels: mark }))
        assert.deepEqual([job.params, job.result], [undefined, undefined]);
    });

    check("a watch of jobs shows those that match, then each change, then that one is gone", async ({ client }) => {
      await using port = await CallersPort.open();
      const labels = { watch: "watched" };
      const before = await client.submitJob("python-reporting", "count", { upto: 1 }, { labels });
      await before.result();
      const watch = client.watchJobs({ labels });
      const first = await watch.next();
      assert.equal(first.value?.snapshot?.jobId, before.id);
      const job = await client.submitJob("python-endless", "waiting", { port: port.number }, { labels });
      (await port.connection()).send("go");
      const states: JobState[] = [];
      for await (const { snapshot, removedJobId } of watch) {
        if (removedJobId === job.id) break;
        if (snapshot?.jobId === job.id) states.push(snapshot.state);
        if (snapshot?.jobId === job.id && snapshot.state === JobState.SUCCEEDED) await client.deleteJob(job.id);
      }
      assert.deepEqual(states, states.toSorted());
      assert.equal(states.at(-1), JobState.SUCCEEDED);
    });

    check("a job that waits for a slot says so, and can be cancelled before it runs", async ({ start }) => {
      await using server = await start({ args: ["--max-running-jobs", "1"] });
      await using port = await CallersPort.open();
      const { client } = server;
      const running = await client.submitJob("python-endless", "waiting", { port: port.number });
      const action = await port.connection();
      const cancelled = await client.submitJob("python-reporting", "count");
      const next = await client.submitJob("python-reporting", "count");
      for await (const { event } of client.watchJob(cancelled.id)) {
        if (event?.payload.case === "stateChanged" && /slot/.test(event.payload.value.detail)) break;
      }
      await cancelled.cancel();
      const events = await collect(cancelled.events());
      const states = payloads(events, "stateChanged").map(({ state }) => state);
      assert.ok(!states.includes(JobState.RUNNING));
      assert.deepEqual(
        payloads(events, "error").map(({ state, reason }) => [state, reason]),
        [[JobState.CANCELLED, "CANCELLED"]],
      );
      assert.equal((await client.getJob(next.id)).state, JobState.PENDING);
      action.send("go");
      assert.equal(await running.result(), "go");
      assert.equal(await next.result(), 3);
    });

    check("more jobs than may wait are refused at once, with the limit", async ({ start }) => {
      await using server = await start({ args: ["--max-running-jobs", "1", "--max-queued-jobs", "1"] });
      await using port = await CallersPort.open();
      const { client } = server;
      const first = await client.submitJob("python-endless", "waiting", { port: port.number });
      const action = await port.connection();
      await running(client, first.id);
      const waiting = await client.submitJob("python-reporting", "count");
      const error = await failure(client.submitJob("python-reporting", "count"));
      assert.equal(error.reason, "OVERLOADED");
      assert.equal(error.metadata.limit, "max_queued_jobs");
      assert.ok(Number(error.retryAfterMs) > 0);
      action.send("go");
      assert.deepEqual(await Promise.all([first.result(), waiting.result()]), ["go", 3]);
    });
  },
};

async function idsOf({ client }: Engine, filter: Parameters<Engine["client"]["listJobs"]>[0]): Promise<string[]> {
  return (await collect(client.listJobs(filter))).map(({ jobId }) => jobId);
}
