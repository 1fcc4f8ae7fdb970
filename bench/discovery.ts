import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout } from "node:timers/promises";
import { create } from "@bufbuild/protobuf";
import { ListPluginsRequestSchema, PluginRunner } from "../gen/ts/pluginrunner/v1/plugin_runner_pb.ts";
import type { Channel } from "../src/grpc/channel.ts";
import { configOf, manyPlugins } from "./plugins.ts";
import { connect, type Line, median, milliseconds, startService, temporaryFolder, writeFiles } from "./support.ts";

const plugins = 1000;
const changes = 5;

/** `ListPlugins` of a root with 1,000 plugins: the first, and the next ones after a plugin was changed. */
export async function discovery(): Promise<Line[]> {
  using root = temporaryFolder();
  using data = temporaryFolder();
  writeFiles(root.path, manyPlugins(plugins));
  await using service = await startService(root.path, data.path);
  using channel = connect(service);
  const first = await timeList(channel, "1.0.0");
  const later: number[] = [];
  for (let change = 1; change <= changes; change++) {
    await setTimeout(100);
    writeFileSync(join(root.path, "plugin_0500/config.yaml"), configOf("plugin_0500", `1.0.${change}`));
    later.push(await timeList(channel, `1.0.${change}`));
  }
  return [
    line("the first `ListPlugins` of 1,000 plugins", first, 3000),
    line("the same, one changed", median(later), 50),
  ];
}

async function timeList(channel: Channel, version: string): Promise<number> {
  const began = performance.now();
  const request = create(ListPluginsRequestSchema, { pageSize: plugins });
  const { plugins: listed } = await channel.unary(PluginRunner.method.listPlugins, request);
  const took = performance.now() - began;
  if (listed.length !== plugins) throw new Error(`${listed.length} plugins are listed, not ${plugins}.`);
  const shown = listed.find(({ code }) => code === "plugin_0500")?.version;
  if (shown !== version)
    throw new Error(`The list shows version ${shown}, not the ${version} that was written before it.`);
  return took;
}

function line(what: string, took: number, targetMs: number): Line {
  return {
    what,
    floor: "–",
    measured: milliseconds(took),
    difference: "–",
    target: `≤ ${targetMs} ms`,
    kept: took <= targetMs,
  };
}
