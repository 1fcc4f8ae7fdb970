/** Tasks and jobs on a Ray cluster of this machine, beside what Ray itself takes for the like. */
import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { create } from "@bufbuild/protobuf";
import { request } from "undici";
import {
  PluginRunner,
  RunMode,
  RunPluginRequestSchema,
  SubmitJobRequestSchema,
} from "../gen/ts/pluginrunner/v1/plugin_runner_pb.ts";
import type { Channel } from "../src/grpc/channel.ts";
import { startRay, type TestRay } from "../test/support/ray.ts";
import { echoPlugins, submitTicks, tickPlugins } from "./plugins.ts";
import {
  connect,
  type Line,
  median,
  milliseconds,
  projectFile,
  quantile,
  startService,
  temporaryFolder,
  writeFiles,
} from "./support.ts";

const rounds = 7;
const callers = 32;
const rateMs = 3000;
const warmCalls = 500;
const events = 100;
const atOnce = 100;
const eventsOfEach = 20;
const params = { text: "The quick brown fox jumps over the lazy dog.", count: 42 };
const endedStates = ["SUCCEEDED", "FAILED", "STOPPED"];

export async function ray(): Promise<Line[]> {
  await using cluster = await startRay();
  using root = temporaryFolder();
  using data = temporaryFolder();
  writeFiles(root.path, { ...echoPlugins, ...tickPlugins, ...newPlugins() });
  const floor = await rayFloor(cluster);
  await using service = await startService(root.path, data.path, "127.0.0.1:0", ["--ray", cluster.address]);
  using channel = connect(service);
  return [...(await tasks(channel, floor)), ...(await jobs(channel, cluster)), await manyJobs(channel)];
}

interface Floor {
  callMs: number;
  callsPerSecond: number;
  firstMs: number;
}

/** Run as a job, as any driver is. */
async function rayFloor(cluster: TestRay): Promise<Floor> {
  const name = "_ray_pkg_0123456789abcdef.zip";
  using folder = temporaryFolder();
  writeFiles(folder.path, newPlugins());
  const zip = join(folder.path, "package.zip");
  execFileSync(join(cluster.bin, "python"), ["-m", "zipfile", "-c", zip, join(folder.path, "new_0/main.py")]);
  const upload = [`${cluster.address}/api/packages/gcs/${name}`, { method: "PUT", body: readFileSync(zip) }] as const;
  await (await request(...upload)).body.dump();
  const env = { ...cluster.env, RAY_ADDRESS: cluster.gcsAddress };
  const said = execFileSync(
    join(cluster.bin, "python"),
    [projectFile("bench/ray-floor.py"), `gcs://${name}`, String(rounds)],
    { env, encoding: "utf8", stdio: ["ignore", "pipe", "ignore"] },
  );
  return JSON.parse(said.trim().split("\n").at(-1) ?? "");
}

async function tasks(channel: Channel, floor: Floor): Promise<Line[]> {
  const call = (plugin: string, action = "echo") =>
    channel.unary(
      PluginRunner.method.runPlugin,
      create(RunPluginRequestSchema, { plugin, action, mode: RunMode.TASK, ...(action === "echo" && { params }) }),
    );
  for (let done = 0; done < warmCalls; done++) await call("echo_python");
  const times: number[] = [];
  for (let done = 0; done < warmCalls; done++) times.push(await timed(() => call("echo_python")));
  const started = performance.now();
  let done = 0;
  const caller = async () => {
    for (; performance.now() - started < rateMs; done++) await call("echo_python");
  };
  await Promise.all(Array.from({ length: callers }, caller));
  const rate = (done * 1000) / (performance.now() - started);
  const firsts: number[] = [];
  for (let round = 0; round < rounds; round++) {
    await delay(3000); // The gateway starts another worker in the place of the one that it used.
    firsts.push(await timed(() => call(`new_${round}`, "work")));
  }
  return [
    line("Ray task, warm, 1 caller, p50", floor.callMs, median(times), "≤ 4 ms", (ms) => ms <= 4),
    {
      what: "Ray tasks, warm, 32 callers",
      floor: `${floor.callsPerSecond.toFixed(0)} calls/s`,
      measured: `${rate.toFixed(0)} calls/s`,
      difference: `× ${(rate / floor.callsPerSecond).toFixed(2)}`,
      target: "≥ 1,000 calls/s",
      kept: rate >= 1000,
    },
    line("Ray task, the first call of a new plugin", floor.firstMs, median(firsts), "≤ 300 ms", (ms) => ms <= 300),
  ];
}

/** Bare calls and the service's in turns, so that whatever the machine does meanwhile falls on both alike. */
async function jobs(channel: Channel, cluster: TestRay): Promise<Line[]> {
  const bare: JobTimes[] = [];
  const own: JobTimes[] = [];
  for (let round = 0; round < rounds; round++) {
    bare.push(await bareJob(cluster, `bench-${round}`));
    own.push(await ownJob(channel));
  }
  const ids = [bare, own].map((all) => median(all.map(({ idMs }) => idMs)));
  const ends = [bare, own].map((all) => median(all.map(({ endMs }) => endMs)));
  const latencies = await eventLatencies(channel);
  const p50 = quantile(latencies, 0.5);
  return [
    ratio("`SubmitJob` on Ray until the id is known", ids, 1.3),
    ratio("Ray job, submit to terminal event", ends, 1.1),
    {
      what: "an event, from a Ray job to its watcher, p50",
      floor: "–",
      measured: `${milliseconds(p50)} (p99 ${milliseconds(quantile(latencies, 0.99))})`,
      difference: "–",
      target: "≤ 60 ms",
      kept: p50 <= 60,
    },
  ];
}

interface JobTimes {
  idMs: number;
  endMs: number;
}

async function bareJob({ address }: TestRay, id: string): Promise<JobTimes> {
  const started = performance.now();
  const body = JSON.stringify({ submission_id: id, entrypoint: "python -c pass" });
  const headers = { "content-type": "application/json" };
  await (await request(`${address}/api/jobs/`, { method: "POST", headers, body })).body.dump();
  const idMs = performance.now() - started;
  while (true) {
    const answer: unknown = await (await request(`${address}/api/jobs/${id}`)).body.json();
    const status = typeof answer === "object" && answer !== null && "status" in answer ? String(answer.status) : "";
    if (endedStates.includes(status)) return { idMs, endMs: performance.now() - started };
    await delay(50);
  }
}

async function ownJob(channel: Channel): Promise<JobTimes> {
  const started = performance.now();
  let idMs = Number.NaN;
  const request = create(SubmitJobRequestSchema, { plugin: "echo_python", action: "echo", params });
  for await (const _ of channel.stream(PluginRunner.method.submitJob, request)) {
    if (Number.isNaN(idMs)) idMs = performance.now() - started;
  }
  return { idMs, endMs: performance.now() - started };
}

async function eventLatencies(channel: Channel): Promise<number[]> {
  const found: number[] = [];
  for await (const { update } of submitTicks(channel, "tick_python", { count: events, interval_ms: 50 })) {
    const now = performance.timeOrigin + performance.now();
    if (update.case !== "events") continue;
    for (const { payload, eventTime } of update.value.events) {
      if (payload.case !== "progress" || !eventTime) continue;
      found.push(now - Number(eventTime.seconds) * 1000 - eventTime.nanos / 1e6);
    }
  }
  if (found.length !== events) throw new Error(`${found.length} of ${events} events came.`);
  return found;
}

/**
 * Dashboards serve about 100 streams of logs at a time: the service has to share them out. Ticks that come late come close
 * together, and of those an action's own process leaves out all but the newest.
 */
async function manyJobs(channel: Channel): Promise<Line> {
  const started = performance.now();
  const complete = await Promise.all(Array.from({ length: atOnce }, () => isComplete(channel)));
  const count = complete.filter(Boolean).length;
  return {
    what: `${atOnce} Ray jobs at once, all watched: those of which every event came once, in order`,
    floor: "–",
    measured: `${count} (in ${((performance.now() - started) / 1000).toFixed(0)} s)`,
    difference: "–",
    target: String(atOnce),
    kept: count === atOnce,
  };
}

async function isComplete(channel: Channel): Promise<boolean> {
  let last = 0n;
  let newest = 0;
  let ordered = true;
  let ended = "";
  for await (const { update } of submitTicks(channel, "tick_python", { count: eventsOfEach, interval_ms: 50 })) {
    for (const event of update.case === "events" ? update.value.events : []) {
      ordered &&= event.sequence === last + 1n;
      last = event.sequence;
      if (event.payload.case === "progress") newest = event.payload.value.current;
      ended = event.payload.case ?? "";
    }
  }
  return ordered && newest === eventsOfEach && ended === "result";
}

function newPlugins(): Record<string, string> {
  const files = Array.from({ length: rounds }, (_, round) => [
    [`new_${round}/config.yaml`, `name: New\ncode: new_${round}\nactions:\n  work: { entrypoint: main:work }\n`],
    [`new_${round}/main.py`, `def work(times: int = ${round}) -> int:\n    return times\n`],
  ]);
  return Object.fromEntries(files.flat());
}

function line(what: string, floorMs: number, ms: number, target: string, keeps: (ms: number) => boolean): Line {
  const difference = `${ms < floorMs ? "−" : "+"} ${milliseconds(Math.abs(ms - floorMs))}`;
  return { what, floor: milliseconds(floorMs), measured: milliseconds(ms), difference, target, kept: keeps(ms) };
}

function ratio(what: string, [floor = Number.NaN, measured = Number.NaN]: number[], most: number): Line {
  const found = measured / floor;
  return {
    what,
    floor: milliseconds(floor),
    measured: milliseconds(measured),
    difference: `× ${found.toFixed(2)}`,
    target: `≤ × ${most}`,
    kept: found <= most,
  };
}

async function timed(work: () => Promise<unknown>): Promise<number> {
  const start = performance.now();
  await work();
  return performance.now() - start;
}
