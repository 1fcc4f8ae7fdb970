import { spawnSync } from "node:child_process";
import { join } from "node:path";
import { setTimeout } from "node:timers/promises";
import { create } from "@bufbuild/protobuf";
import { PluginRunner, RunMode, RunPluginRequestSchema } from "../gen/ts/pluginrunner/v1/plugin_runner_pb.ts";
import {
  connect,
  type Line,
  median,
  milliseconds,
  projectFile,
  python,
  startService,
  temporaryFolder,
  writeFiles,
} from "./support.ts";

const rounds = 9;

/** The first task of a Python plugin that the service never saw, beside what its import alone takes. */
export async function firstCall(): Promise<Line[]> {
  using root = temporaryFolder();
  using data = temporaryFolder();
  for (let round = 0; round < rounds; round++) writeFiles(join(root.path, `new_${round}`), newPlugin(`new_${round}`));
  await using service = await startService(root.path, data.path);
  using channel = connect(service);
  const floors: number[] = [];
  const times: number[] = [];
  for (let round = 0; round < rounds; round++) {
    floors.push(importTime(join(root.path, `new_${round}`)));
    await setTimeout(500); // The service starts another worker in the place of the one that it used.
    const began = performance.now();
    const request = { plugin: `new_${round}`, action: "work", mode: RunMode.TASK };
    await channel.unary(PluginRunner.method.runPlugin, create(RunPluginRequestSchema, request));
    times.push(performance.now() - began);
  }
  const over = median(times) - median(floors);
  return [
    {
      what: "task, the first call of a new Python plugin",
      floor: milliseconds(median(floors)),
      measured: milliseconds(median(times)),
      difference: `+ ${milliseconds(over)}`,
      target: "≤ + 50 ms",
      kept: over <= 50,
    },
  ];
}

/** A plugin that imports about as much as a small real one does. */
function newPlugin(code: string): Record<string, string> {
  return {
    "config.yaml": `name: New\ncode: ${code}\nactions:\n  work: { entrypoint: main:work }\n`,
    "main.py": `
import concurrent.futures, decimal, email.message, http.client, sqlite3, urllib.request, xml.dom.minidom
from plugin_runner import action

@action
def work(times: int = 1) -> int:
    return times
`,
  };
}

/** What `python3 -X importtime` says of a plugin's module, all that it imports included, in milliseconds. */
function importTime(folder: string): number {
  const env = { ...process.env, PYTHONPATH: projectFile("python"), PYTHONDONTWRITEBYTECODE: "1" };
  const { stderr } = spawnSync(python, ["-X", "importtime", "-c", "import main"], {
    cwd: folder,
    env,
    encoding: "utf8",
  });
  const microseconds = /\|\s+(\d+) \| main$/m.exec(stderr)?.[1];
  if (microseconds === undefined) throw new Error(`The plugin does not import: ${stderr}`);
  return Number(microseconds) / 1000;
}
