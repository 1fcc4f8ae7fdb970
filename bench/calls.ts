/** `RunPlugin` in local mode beside a bare echo: calls a second at 32 callers, and the time of a call of one caller. */
import { randomUUID } from "node:crypto";
import { create, type JsonObject } from "@bufbuild/protobuf";
import { PluginRunner, RunPluginRequestSchema } from "../gen/ts/pluginrunner/v1/plugin_runner_pb.ts";
import type { Channel } from "../src/grpc/channel.ts";
import { echoPlugins } from "./plugins.ts";
import {
  connect,
  type Line,
  median,
  milliseconds,
  startFloor,
  startService,
  temporaryFolder,
  writeFiles,
} from "./support.ts";

const rounds = 5;
const roundMs = 1200;
/** Until the engines of both sides have compiled what is hot. */
const warmUpMs = 2000;
const callers = 32;
const params: JsonObject = { text: "The quick brown fox jumps over the lazy dog.", count: 42 };

type Call = () => Promise<unknown>;

/** One line of the table: the same call of both servers. */
interface Pair {
  what: string;
  floor: Call;
  call: Call;
}

export async function calls(): Promise<Line[]> {
  using root = temporaryFolder();
  using data = temporaryFolder();
  writeFiles(root.path, echoPlugins);
  await using bare = await startFloor();
  await using service = await startService(root.path, data.path);
  using floor = connect(bare);
  using channel = connect(service);
  const pair = (what: string, plugin: string, requestId = () => ""): Pair => ({
    what,
    floor: () => echo(floor, plugin, requestId()),
    call: () => echo(channel, plugin, requestId()),
  });
  return [
    ...(await compareRates([
      { ...pair("`RunPlugin` local, JavaScript, 32 callers", "echo_js"), target: 0.85 },
      { ...pair("the same, each call with a `request_id`", "echo_js", randomUUID), target: 0.85 },
      { ...pair("`RunPlugin` local, Python, 32 callers", "echo_python"), target: 0.6 },
    ])),
    await compareTimes(pair("`RunPlugin` local, Python, 1 caller, p50", "echo_python"), 0.5),
  ];
}

function echo(channel: Channel, plugin: string, requestId: string) {
  const request = create(RunPluginRequestSchema, { plugin, action: "echo", params, requestId });
  return channel.unary(PluginRunner.method.runPlugin, request);
}

/** Measures all in turns, so that whatever the machine does meanwhile falls on all alike. */
async function compareRates(pairs: (Pair & { target: number })[]): Promise<Line[]> {
  const measured = pairs.map((pair) => ({ ...pair, ...emptySeries() }));
  for (const { floor, call } of measured) {
    await rate(floor, warmUpMs);
    await rate(call, warmUpMs);
  }
  for (let round = 0; round < rounds; round++) {
    for (const { floor, call, floors, rates } of measured) {
      floors.push(await rate(floor));
      rates.push(await rate(call));
    }
  }
  return measured.map(({ what, floors, rates, target }) => {
    const ratio = median(rates) / median(floors);
    return {
      what,
      floor: `${median(floors).toFixed(0)} calls/s`,
      measured: `${median(rates).toFixed(0)} calls/s`,
      difference: `× ${ratio.toFixed(2)}`,
      target: `≥ × ${target}`,
      kept: ratio >= target,
    };
  });
}

function emptySeries(): { floors: number[]; rates: number[] } {
  return { floors: [], rates: [] };
}

async function compareTimes({ what, floor, call }: Pair, targetMs: number): Promise<Line> {
  const floors: number[] = [];
  const times: number[] = [];
  for (let round = 0; round < rounds; round++) {
    floors.push(await timeOfOne(floor));
    times.push(await timeOfOne(call));
  }
  const over = median(times) - median(floors);
  return {
    what,
    floor: milliseconds(median(floors)),
    measured: milliseconds(median(times)),
    difference: `+ ${milliseconds(over)}`,
    target: `≤ + ${targetMs} ms`,
    kept: over <= targetMs,
  };
}

/** Calls a second of 32 callers, each of which calls again when it has its answer. */
async function rate(call: Call, forMs = roundMs): Promise<number> {
  const start = performance.now();
  let done = 0;
  const caller = async () => {
    for (; performance.now() - start < forMs; done++) await call();
  };
  await Promise.all(Array.from({ length: callers }, caller));
  return (done * 1000) / (performance.now() - start);
}

/** The median time of a call of one caller, in milliseconds. */
async function timeOfOne(call: Call): Promise<number> {
  const times: number[] = [];
  for (const start = performance.now(); performance.now() - start < roundMs / 2; ) {
    const began = performance.now();
    await call();
    times.push(performance.now() - began);
  }
  return median(times);
}
