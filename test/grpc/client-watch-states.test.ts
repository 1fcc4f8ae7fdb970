import assert from "node:assert/strict";
import { test } from "node:test";
import { status } from "@grpc/grpc-js";
import { JobState } from "../../gen/ts/pluginrunner/v1/job_pb.ts";
import { PluginRunner } from "../../gen/ts/pluginrunner/v1/plugin_runner_pb.ts";
import { connect, type WatchState } from "../../src/client.ts";
import { patienceMs } from "../support/limits.ts";
import { BareStatus, events, fakeServer, heartbeat, snapshot, streaming, untilGone } from "./fake-server.ts";

const { method } = PluginRunner;

test("a watch of jobs is live once all there were have come, also where there were none, and again after a cut", async () => {
  let connections = 0;
  using server = await fakeServer([
    streaming(method.watchJobs, async function* (_, signal) {
      connections += 1;
      if (connections === 2) throw new BareStatus(status.UNAVAILABLE);
      yield heartbeat;
      if (connections === 1) throw new BareStatus(status.UNAVAILABLE);
      yield snapshot({ jobId: "j" });
      await untilGone(signal);
    }),
  ]);
  await using client = connect({ address: server.address });
  const states: WatchState[] = [];
  for await (const { snapshot: job } of client.watchJobs({}, { onState: (state) => states.push(state) }))
    if (job) break;
  assert.deepEqual(states, ["connecting", "live", "reconnecting", "live"]);
});

test("a watch of a job is live once its events have caught up", async () => {
  using server = await fakeServer([
    streaming(method.watchJob, async function* () {
      yield snapshot({ jobId: "j", state: JobState.RUNNING, lastSequence: 2n });
      yield events(1, "one");
      yield events(2, "two");
      yield events(3, "result");
    }),
  ]);
  await using client = connect({ address: server.address });
  const seen: (WatchState | number)[] = [];
  for await (const { event } of client.watchJob("j", { onState: (state) => seen.push(state) })) {
    if (event) seen.push(Number(event.sequence));
  }
  assert.deepEqual(seen, ["connecting", 1, 2, "live", 3]);
});

test("a server that never answers leaves the watch connecting, and ends it", async () => {
  using server = await fakeServer([
    streaming(method.watchJob, async function* () {
      yield* [];
      throw new BareStatus(status.UNAVAILABLE);
    }),
  ]);
  await using client = connect({ address: server.address });
  const states: WatchState[] = [];
  const watch = client.watchJob("j", { onState: (state) => states.push(state) });
  await assert.rejects(watch.next(), { reason: "UNAVAILABLE" });
  assert.deepEqual(states, ["connecting"]);
});

test("when one watch has found the server again, the others look for it at once", { timeout: patienceMs }, async () => {
  const opened = { slow: 0, fast: 0 };
  let up = false;
  const cutFast = Promise.withResolvers<void>();
  const back = Promise.withResolvers<void>();
  using server = await fakeServer([
    streaming(method.watchJob, async function* ({ jobId }, signal) {
      const times = jobId === "slow" ? ++opened.slow : ++opened.fast;
      if (jobId === "slow" && times > 1 && !up) throw new BareStatus(status.UNAVAILABLE);
      yield snapshot({ jobId, state: JobState.RUNNING });
      yield heartbeat;
      if (times === 1 && jobId === "fast") await cutFast.promise;
      if (times === 1) throw new BareStatus(status.UNAVAILABLE);
      if (jobId === "slow") back.resolve();
      await untilGone(signal);
    }),
  ]);
  await using client = connect({ address: server.address });
  const end = new AbortController();
  const signal = end.signal;
  const watch = async (jobId: string, onRetry?: () => void) => {
    for await (const _ of client.watchJob(jobId, { onRetry, signal }));
  };
  const waits = Promise.withResolvers<void>();
  let retries = 0;
  const onRetry = () => {
    // The seventh wait takes more than 3 s.
    if (++retries < 7) queueMicrotask(() => client.reconnect());
    else waits.resolve();
  };
  const watches = [watch("slow", onRetry), watch("fast")];
  await waits.promise;
  up = true;
  const start = performance.now();
  cutFast.resolve();
  await back.promise;
  assert.ok(performance.now() - start < 3000, "it has waited for its own time");
  end.abort(new Error("enough"));
  for (const one of watches) await assert.rejects(one, { message: "enough" });
});
