import { setTimeout } from "node:timers/promises";
import { create } from "@bufbuild/protobuf";
import { PluginRunner, WatchJobRequestSchema } from "../gen/ts/pluginrunner/v1/plugin_runner_pb.ts";
import type { Channel } from "../src/grpc/channel.ts";
import { RunnerError } from "../src/grpc/client-errors.ts";
import { isLast } from "../src/grpc/client-watch.ts";
import { submitTicks, tickPlugins } from "./plugins.ts";
import { connect, type Line, startService, temporaryFolder, writeFiles } from "./support.ts";

const watchers = 200;
const events = 400;
const intervalMs = 20;

/** A server that is killed with `kill -9` and started again while 200 watchers follow a job. */
export async function restart(): Promise<Line[]> {
  using root = temporaryFolder();
  using data = temporaryFolder();
  writeFiles(root.path, tickPlugins);
  await using first = await startService(root.path, data.path);
  using channel = connect(first);
  const jobId = await submit(channel);
  const watches = Array.from({ length: watchers }, () => watch(channel, jobId));
  await setTimeout((events * intervalMs) / 4);
  await first.end("SIGKILL");
  await using _second = await startService(root.path, data.path, first.address);

  const seen = await Promise.all(watches);
  const lost = seen.reduce((sum, watch) => sum + watch.lost, 0);
  const repeated = seen.reduce((sum, watch) => sum + watch.repeated, 0);
  const cut = seen.filter((watch) => watch.cuts > 0).length;
  return [
    {
      what: `a server killed and started again under ${watchers} watchers`,
      floor: "–",
      measured: `${lost} lost, ${repeated} repeated; ${cut} were cut off`,
      difference: "–",
      target: "0 lost, 0 repeated",
      kept: lost === 0 && repeated === 0 && cut === watchers,
    },
  ];
}

async function submit(channel: Channel): Promise<string> {
  for await (const { update } of submitTicks(channel, "tick_python", { count: events, interval_ms: intervalMs })) {
    if (update.case === "snapshot") return update.value.jobId;
  }
  throw new Error("The job has no snapshot.");
}

/** Follows a job to its end, coming back with the last sequence whenever it is cut off, and hides no fault meanwhile. */
async function watch(channel: Channel, jobId: string) {
  const seen = { lost: 0, repeated: 0, cuts: 0 };
  let last = 0n;
  for (;;) {
    try {
      const request = create(WatchJobRequestSchema, { jobId, afterSequence: last });
      for await (const { update } of channel.stream(PluginRunner.method.watchJob, request)) {
        for (const event of update.case === "events" ? update.value.events : []) {
          if (event.sequence <= last) seen.repeated++;
          else seen.lost += Number(event.sequence - last - 1n);
          last = event.sequence;
          if (isLast(event)) return seen;
        }
      }
    } catch (error) {
      if (!(error instanceof RunnerError && error.reason === "UNAVAILABLE")) throw error;
      await setTimeout(100);
    }
    seen.cuts++;
  }
}
