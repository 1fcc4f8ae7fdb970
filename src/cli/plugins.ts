import { toJson } from "@bufbuild/protobuf";
import {
  Language,
  type Plugin,
  type Action as PluginAction,
  PluginSchema,
} from "../../gen/ts/pluginrunner/v1/plugin_pb.ts";
import type { Client } from "../grpc/client.ts";
import { didYouMean } from "../util/nearest.ts";
import { clientOptions, openClient } from "./client-options.ts";
import { columns } from "./format.ts";
import { oneArgument } from "./one-argument.ts";
import { readArguments } from "./options.ts";
import { schemaRows } from "./schema-rows.ts";
import { neutral, print } from "./terminal.ts";
import { UsageError } from "./usage-error.ts";
import type { Io, Verb } from "./verb.ts";

type Command = (client: Client, rest: readonly string[], json: boolean, io: Io) => Promise<void>;

const commands: Readonly<Record<string, Command>> = { ls: list, show };

export const verb: Verb = {
  usage: "[ls | show PLUGIN]",
  description: "Lists the plugins under the plugin roots, or shows one with its actions and their params.",
  options: clientOptions,
  examples: [
    ["plugins", "list what can be run"],
    ["plugins show digits", "show its actions and what they take"],
    ["plugins show digits --json | jq '.actions[].paramsSchema'", "take the JSON Schemas"],
  ],
  async run(args, io) {
    const { values, positionals } = readArguments(clientOptions, args, io.env);
    const [name = "ls", ...rest] = positionals;
    const command = Object.hasOwn(commands, name) ? commands[name] : undefined;
    if (!command) throw new UsageError(`Unknown command: plugins ${name}.${didYouMean(name, Object.keys(commands))}`);
    await using client = openClient(values, io);
    await command(client, rest, values.json, io);
    return 0;
  },
};

async function list(client: Client, [extra]: readonly string[], json: boolean, io: Io): Promise<void> {
  if (extra !== undefined) throw new UsageError(`Unexpected argument: ${extra}.`);
  const plugins: Plugin[] = [];
  for await (const plugin of client.listPlugins(io.signal)) plugins.push(plugin);
  if (json) {
    await print(io.stdout, JSON.stringify({ plugins: plugins.map((plugin) => toJson(PluginSchema, plugin)) }));
    return;
  }
  const rows = plugins.map((plugin) => [
    plugin.code,
    plugin.version,
    languageName(plugin.language),
    plugin.actions.map((action) => action.name).join(" "),
    plugin.description,
  ]);
  for (const line of columns(["PLUGIN", "VERSION", "LANGUAGE", "ACTIONS", "DESCRIPTION"], rows)) {
    await print(io.stdout, line);
  }
  for (const plugin of plugins) warnOf(plugin, io);
}

async function show(client: Client, rest: readonly string[], json: boolean, io: Io): Promise<void> {
  const plugin = await client.getPlugin(oneArgument(rest, "plugin"), io.signal);
  if (json) {
    await print(io.stdout, JSON.stringify(toJson(PluginSchema, plugin)));
    return;
  }
  const lines = [
    `${plugin.code} ${plugin.version} (${languageName(plugin.language)})`,
    plugin.description,
    plugin.path,
    ...plugin.actions.flatMap(actionLines),
  ];
  await print(io.stdout, neutral(lines.filter((line) => line !== "").join("\n")));
  warnOf(plugin, io);
}

function actionLines({ name, title, description, paramsSchema }: PluginAction): string[] {
  const rows = schemaRows(paramsSchema).map((row) => [row.name, row.type, row.preset, row.description]);
  const table = columns(["PARAM", "TYPE", "DEFAULT", "DESCRIPTION"], rows);
  const heading = [title ? `${name} (${title})` : name, description].filter((words) => words !== "").join(": ");
  return [`\n${heading}`, ...(rows.length > 0 ? table : []).map((row) => `  ${row}`)];
}

function warnOf({ code, issues }: Plugin, { stderr }: Io): void {
  for (const { file, line, message } of issues) {
    const place = [code, file, line > 0 ? String(line) : ""].filter((part) => part !== "").join(":");
    stderr.write(neutral(`warning: ${place}: ${message}\n`));
  }
}

function languageName(language: Language): string {
  if (language === Language.PYTHON) return "Python";
  return language === Language.JAVASCRIPT ? "JavaScript" : "";
}
