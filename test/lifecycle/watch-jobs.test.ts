import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import { type TestContext, test } from "node:test";
import { create } from "@bufbuild/protobuf";
import { type JobFilter, JobFilterSchema, JobState } from "../../gen/ts/pluginrunner/v1/job_pb.ts";
import {
  ListJobsRequestSchema,
  PluginRunner,
  WatchJobsRequestSchema,
  type WatchJobsResponse,
} from "../../gen/ts/pluginrunner/v1/plugin_runner_pb.ts";
import { RunnerError } from "../../src/client.ts";
import { openChannel } from "../support/recorded-watch.ts";
import { startServer, type TestServer } from "../support/server.ts";
import { begun, roots, scratch } from "./scratch.ts";

test("a list of jobs begins with all there are, newest first, then a heartbeat; then come changes and removals", async (t) => {
  const files = scratch(t);
  await using server = await startServer({ roots, args: ["--heartbeat", "200ms"] });
  const { client } = server;
  const ended = await client.submitJob("counted", "quick", { starts: "" }, { jobId: "ended" });
  await ended.result();
  const held = await client.submitJob("counted", "hold", files.params, { jobId: "held" });
  await begun(files);
  const watch = watching(t, server);
  const initial = await watch.until(({ update }) => update.case === "heartbeat");
  assert.deepEqual(initial.map(idOf), ["held", "ended", undefined]);

  writeFileSync(files.release, "");
  await held.result();
  const changes = await watch.until(({ update }) => update.case === "snapshot" && update.value.endTime !== undefined);
  assert.equal(changes.at(-1) && idOf(changes.at(-1)), "held");

  await client.deleteJob("ended");
  const gone = await watch.until(({ update }) => update.case === "removedJobId");
  assert.deepEqual(gone.at(-1)?.update, { case: "removedJobId", value: "ended" });
  const quiet = await watch.until(({ update }) => update.case === "heartbeat");
  assert.ok(quiet.at(-1));
});

test("a job that no longer matches the filter is removed from its list; one that never did is not shown", async (t) => {
  const files = scratch(t);
  await using server = await startServer({ roots });
  const watch = watching(t, server, { states: [JobState.RUNNING], labels: { team: "red" } });
  assert.deepEqual((await watch.until(({ update }) => update.case === "heartbeat")).map(idOf), [undefined]);
  const red = await server.client.submitJob("counted", "hold", files.params, { jobId: "red", labels: { team: "red" } });
  await server.client.submitJob("counted", "hold", files.params, { jobId: "blue", labels: { team: "blue" } });
  await begun(files, 2);
  writeFileSync(files.release, "");
  await red.result();
  const seen = await watch.until(({ update }) => update.case === "removedJobId");
  assert.deepEqual(
    new Set(seen.flatMap(({ update }) => (update.case === "snapshot" ? update.value.jobId : []))),
    new Set(["red"]),
  );
});

test("many jobs are listed page by page, each once, newest first, also while more come", async (t) => {
  const files = scratch(t);
  await using server = await startServer({ roots, args: ["--max-running-jobs", "1"] });
  const { client } = server;
  await client.submitJob("counted", "hold", files.params, { jobId: "first" });
  await begun(files);
  const submit = (index: number) =>
    client.submitJob("counted", "quick", files.params, {
      jobId: `job-${index}`,
      labels: { even: String(index % 2 === 0) },
    });
  for (let index = 0; index < 120; index++) await submit(index);
  const channel = openChannel(server.address);
  t.after(() => channel.close());
  const list = (pageToken: string, filter?: JobFilter) =>
    channel.unary(
      PluginRunner.method.listJobs,
      create(ListJobsRequestSchema, { pageSize: 50, pageToken, ...(filter && { filter }) }),
    );
  const ids: string[] = [];
  let token = "";
  do {
    const page = await list(token);
    ids.push(...page.jobs.map(({ jobId }) => jobId));
    token = page.nextPageToken;
    if (ids.length === 50) await submit(120);
  } while (token !== "");
  assert.deepEqual(ids, [...Array.from({ length: 120 }, (_, index) => `job-${119 - index}`), "first"]);

  const even = create(JobFilterSchema, { labels: { even: "true" }, states: [JobState.PENDING] });
  const page = await list("", even);
  assert.equal(page.jobs.length, 50);
  assert.ok(
    page.jobs.every(({ labels, params, state }) => labels.even === "true" && !params && state === JobState.PENDING),
  );
  assert.equal((await list(page.nextPageToken, even)).jobs.length, 11);
  await assert.rejects(
    list(page.nextPageToken),
    (error) => error instanceof RunnerError && error.reason === "REQUEST_INVALID",
  );
});

/** A stream of `WatchJobs` that is read piece by piece. */
function watching(t: TestContext, server: TestServer, filter?: Partial<Pick<JobFilter, "states" | "labels">>) {
  const channel = openChannel(server.address);
  t.after(() => channel.close());
  const request = create(WatchJobsRequestSchema, filter ? { filter: create(JobFilterSchema, filter) } : {});
  const stream = channel.stream(PluginRunner.method.watchJobs, request);
  return {
    async until(enough: (message: WatchJobsResponse) => boolean): Promise<WatchJobsResponse[]> {
      const messages: WatchJobsResponse[] = [];
      while (true) {
        const { value, done } = await stream.next();
        if (done) throw new Error("The stream ended.");
        messages.push(value);
        if (enough(value)) return messages;
      }
    },
  };
}

function idOf(message: WatchJobsResponse | undefined): string | undefined {
  return message?.update.case === "snapshot" ? message.update.value.jobId : undefined;
}
