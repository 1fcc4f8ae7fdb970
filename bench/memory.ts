import { spawn } from "node:child_process";
import { setTimeout } from "node:timers/promises";
import { create } from "@bufbuild/protobuf";
import { PluginRunner, RunMode, RunPluginRequestSchema } from "../gen/ts/pluginrunner/v1/plugin_runner_pb.ts";
import { echoPlugins } from "./plugins.ts";
import {
  childrenOf,
  connect,
  exited,
  type Line,
  median,
  megabytes,
  python,
  residentMegabytes,
  type Server,
  startFloor,
  startService,
  temporaryFolder,
  writeFiles,
} from "./support.ts";

/** Until what a start leaves behind is done, and memory stays as it is. */
const settleMs = 2000;

/** Resident memory of an idle server beside a bare one, and of its idle Python workers beside a bare interpreter. */
export async function memory(): Promise<Line[]> {
  using root = temporaryFolder();
  using data = temporaryFolder();
  writeFiles(root.path, echoPlugins);
  await using floor = await startFloor();
  await using service = await startService(root.path, data.path);
  await setTimeout(settleMs);
  const server = compare(
    "resident memory of an idle server",
    residentMegabytes(floor.pid),
    residentMegabytes(service.pid),
    40,
  );

  await runTask(service);
  await setTimeout(settleMs);
  const workers = childrenOf(service.pid, "plugin_runner.worker").map(residentMegabytes);
  if (workers.length === 0) throw new Error("The service has no Python worker.");
  return [server, compare(`the same of an idle Python worker`, await bareInterpreter(), median(workers), 8)];
}

function compare(what: string, floor: number, measured: number, targetMegabytes: number): Line {
  return {
    what,
    floor: megabytes(floor),
    measured: megabytes(measured),
    difference: `+ ${megabytes(measured - floor)}`,
    target: `≤ + ${targetMegabytes} MB`,
    kept: measured - floor <= targetMegabytes,
  };
}

async function runTask(service: Server): Promise<void> {
  using channel = connect(service);
  const request = { plugin: "echo_python", action: "echo", params: { text: "", count: 1 }, mode: RunMode.TASK };
  await channel.unary(PluginRunner.method.runPlugin, create(RunPluginRequestSchema, request));
}

async function bareInterpreter(): Promise<number> {
  const child = spawn(python, ["-c", "input()"], { stdio: ["pipe", "ignore", "ignore"] });
  await setTimeout(500);
  const resident = residentMegabytes(child.pid ?? 0);
  child.stdin.end("\n");
  await exited(child);
  return resident;
}
