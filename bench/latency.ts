import type { Channel } from "../src/grpc/channel.ts";
import { submitTicks, tickPlugins } from "./plugins.ts";
import { connect, type Line, milliseconds, quantile, startService, temporaryFolder, writeFiles } from "./support.ts";

const events = 200;
const intervalMs = 20;

/** From a plugin's call to the client that watches its job; all on one machine, by one clock. */
export async function latency(): Promise<Line[]> {
  using root = temporaryFolder();
  using data = temporaryFolder();
  writeFiles(root.path, tickPlugins);
  await using service = await startService(root.path, data.path);
  using channel = connect(service);
  return [
    line("an event, from a Python job to its watcher, p50", await latencies(channel, "tick_python")),
    line("the same, from a JavaScript job", await latencies(channel, "tick_js")),
  ];
}

async function latencies(channel: Channel, plugin: string): Promise<number[]> {
  const found: number[] = [];
  for await (const { update } of submitTicks(channel, plugin, { count: events, interval_ms: intervalMs })) {
    const now = performance.timeOrigin + performance.now();
    if (update.case !== "events") continue;
    for (const { payload, eventTime } of update.value.events) {
      if (payload.case === "progress" && eventTime)
        found.push(now - Number(eventTime.seconds) * 1000 - eventTime.nanos / 1e6);
    }
  }
  if (found.length !== events) throw new Error(`${found.length} of ${events} events came.`);
  return found;
}

function line(what: string, latencies: number[]): Line {
  const p50 = quantile(latencies, 0.5);
  return {
    what,
    floor: "–",
    measured: `${milliseconds(p50)} (p99 ${milliseconds(quantile(latencies, 0.99))})`,
    difference: "–",
    target: "≤ 10 ms",
    kept: p50 <= 10,
  };
}
