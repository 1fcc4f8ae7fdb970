import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { fromJson } from "@bufbuild/protobuf";
import { timestampFromMs, ValueSchema } from "@bufbuild/protobuf/wkt";
import { type JobFilter, JobState } from "../../gen/ts/pluginrunner/v1/job_pb.ts";
import { PluginRunner } from "../../gen/ts/pluginrunner/v1/plugin_runner_pb.ts";
import { readParamsObject } from "../../src/cli/param-values.ts";
import { PluginRunnerError } from "../../src/errors.ts";
import { fakeServer, heartbeat, snapshot, streaming, unary, untilGone } from "../grpc/fake-server.ts";
import { command } from "./command.ts";

const { method } = PluginRunner;

const finished = {
  jobId: "first",
  plugin: "digits",
  action: "train",
  state: JobState.SUCCEEDED,
  createTime: timestampFromMs(0),
  startTime: timestampFromMs(1000),
  endTime: timestampFromMs(66_000),
  progress: [
    { step: "load", current: 1, total: 1 },
    { step: "train", current: 1, total: 3 },
  ],
};

describe("jobs", () => {
  test("lists jobs as a table, by the filter that the flags say", async () => {
    const filters: (JobFilter | undefined)[] = [];
    using server = await fakeServer([
      unary(method.listJobs, async ({ filter }) => {
        filters.push(filter);
        return { jobs: [finished, { jobId: "\x1bsecond" }] };
      }),
    ]);
    const flags = ["--state", "running", "--state", "FAILED", "--plugin", "digits", "--label", "a=b"];
    const { code, out } = await command(["jobs", ...flags], { address: server.address });
    assert.equal(code, 0);
    const [heading = "", first = "", second = ""] = out.split("\n");
    assert.match(heading, /^JOB +STATE +PLUGIN +ACTION +CREATED +TOOK +PROGRESS$/);
    assert.match(first, /^first +SUCCEEDED +digits +train +19[67]\d-\S+ \S+ +1m05s +load 100%, train 33%$/);
    assert.match(second, /^\\x1bsecond/);
    const [filter] = filters;
    assert.deepEqual(filter?.states, [JobState.RUNNING, JobState.FAILED]);
    assert.deepEqual([filter?.plugin, filter?.labels], ["digits", { a: "b" }]);
  });

  test("asks for no more pages than --limit needs", async () => {
    let pages = 0;
    using server = await fakeServer([
      unary(method.listJobs, async () => {
        pages += 1;
        return { jobs: [{ jobId: `a${pages}` }, { jobId: `b${pages}` }], nextPageToken: "more" };
      }),
    ]);
    const { out, err } = await command(["jobs", "ls", "--limit", "3", "--json"], { address: server.address });
    assert.deepEqual(JSON.parse(out), { jobs: [{ jobId: "a1" }, { jobId: "b1" }, { jobId: "a2" }] });
    assert.equal(pages, 2);
    assert.equal(err, "There are more jobs than the 3 shown: --limit N lists so many, --all lists all.\n");
  });

  test("lists all of them with --all, and says nothing of more where there are none", async () => {
    const all = Array.from({ length: 60 }, (_, at) => ({ jobId: `j${at}` }));
    using server = await fakeServer([
      unary(method.listJobs, async ({ pageToken }) =>
        pageToken ? { jobs: all.slice(40) } : { jobs: all.slice(0, 40), nextPageToken: "40" },
      ),
    ]);
    const { address } = server;
    const { out, err } = await command(["jobs", "--all"], { address });
    assert.equal(out.trimEnd().split("\n").length, 61);
    assert.equal(err, "");
    assert.equal((await command(["jobs", "--limit", "60"], { address })).err, "");
    assert.match((await command(["jobs"], { address })).err, /more jobs than the 50 shown/);
  });

  test("lists those of a time", async () => {
    const filters: (JobFilter | undefined)[] = [];
    using server = await fakeServer([
      unary(method.listJobs, async ({ filter }) => {
        filters.push(filter);
        return {};
      }),
    ]);
    const { address } = server;
    const times = ["--since", "2026-11-28T09:30Z", "--until", "2026-11-29T00:00:00.500Z"];
    await command(["jobs", ...times], { address });
    assert.deepEqual(filters[0]?.createdAfter, timestampFromMs(Date.UTC(2026, 10, 28, 9, 30)));
    assert.deepEqual(filters[0]?.createdBefore, timestampFromMs(Date.UTC(2026, 10, 29, 0, 0, 0, 500)));
    assert.equal((await command(["jobs", "--since", "soon"], { address })).code, 2);
  });

  test("shows one job whole, and deletes one", async () => {
    const deleted: string[] = [];
    using server = await fakeServer([
      unary(method.getJob, async ({ jobId }) => ({ job: { jobId, params: { n: 1 } } })),
      unary(method.deleteJob, async ({ jobId }) => {
        deleted.push(jobId);
        return {};
      }),
    ]);
    const { address } = server;
    assert.deepEqual(JSON.parse((await command(["jobs", "show", "j"], { address })).out).params, { n: 1 });
    assert.equal((await command(["jobs", "delete", "j"], { address })).out, "Deleted job j.\n");
    assert.deepEqual(deleted, ["j"]);
  });

  test("the params of a job are printed as --params takes them, with NaN and the infinities by their names", async () => {
    const params = { lr: "NaN", text: "NaN", bounds: ["-Infinity", 1] };
    const job = { jobId: "j", params, nonFiniteParams: ["/lr", "/bounds/0"] };
    using server = await fakeServer([unary(method.getJob, async () => ({ job }))]);
    const { out } = await command(["jobs", "show", "j", "--params-only"], { address: server.address });
    assert.deepEqual(readParamsObject("--params", out, false), {
      lr: Number.NaN,
      text: "NaN",
      bounds: [Number.NEGATIVE_INFINITY, 1],
    });
  });

  test("-0.0 among the params and in the result of a job is shown as such", async () => {
    const job = { jobId: "j", params: { lr: -0 }, result: fromJson(ValueSchema, -0) };
    using server = await fakeServer([unary(method.getJob, async () => ({ job }))]);
    const { address } = server;
    assert.match((await command(["jobs", "show", "j"], { address })).out, /"lr": -0\.0[\s\S]*"result": -0\.0/);
    const json = (await command(["jobs", "show", "j", "--json"], { address })).out;
    assert.match(json, /"params":\{"lr":-0\.0\}.*"result":-0\.0/);
  });

  test("deleting a job that still runs is told by its exit code", async () => {
    using server = await fakeServer([
      unary(method.deleteJob, async () => {
        throw new PluginRunnerError("JOB_NOT_FINISHED", "Cancel it first.");
      }),
    ]);
    assert.equal((await command(["jobs", "delete", "j"], { address: server.address })).code, 10);
  });

  test("watch prints changes until it is interrupted", async () => {
    const interrupt = new AbortController();
    using server = await fakeServer([
      streaming(method.watchJobs, async function* (_, signal) {
        yield snapshot({ jobId: "j", state: JobState.RUNNING });
        yield heartbeat;
        yield { update: { case: "removedJobId" as const, value: "j" } };
        await untilGone(signal);
      }),
    ]);
    const { signal } = interrupt;
    const onOut = (text: string) => text.includes("removed") && interrupt.abort();
    const { code, out } = await command(["jobs", "watch", "--json"], { address: server.address, signal, onOut });
    assert.equal(code, 130);
    const [first = "", second = ""] = out.split("\n");
    assert.equal(JSON.parse(first).snapshot.state, "JOB_STATE_RUNNING");
    assert.deepEqual(JSON.parse(second), { removedJobId: "j" });
  });
});

test("cancel prints the job as it is then", async () => {
  using server = await fakeServer([
    unary(method.cancelJob, async ({ jobId }) => ({
      job: { jobId, plugin: "p", action: "a", state: JobState.CANCELLING },
    })),
  ]);
  const { out } = await command(["cancel", "j"], { address: server.address });
  assert.equal(out, "job j: p a, CANCELLING\n");
});
