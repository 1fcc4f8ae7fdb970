import type { PluginIssue } from "../../gen/ts/pluginrunner/v1/plugin_pb.ts";
import { PluginRunnerError } from "../errors.ts";
import { compareText } from "../util/compare-text.ts";
import { didYouMean, nearest } from "../util/nearest.ts";
import type { DescribedAction } from "../worker/messages.ts";
import type { ActionConfig } from "./config.ts";
import { sameName } from "./found-actions.ts";
import type { LoadedPlugin } from "./plugin.ts";

const maxNames = 20;

/** The configuration declares an action that cannot be run. */
export function unusableAction(plugin: LoadedPlugin, name: string, issue: PluginIssue): PluginRunnerError {
  const { code } = plugin.info;
  const { file, line, column } = issue;
  const at = [file, ...(line > 0 ? [line, column] : [])].join(":");
  const message = `${at}: The action ${name} of ${code} cannot be run: ${issue.message}`;
  return new PluginRunnerError("PLUGIN_INVALID", message, {
    metadata: {
      plugin: code,
      action: name,
      file,
      line: String(line),
      column: String(column),
    },
  });
}

/** The configuration names an action, and nobody knows where it is. */
export function unplacedAction(
  plugin: LoadedPlugin,
  name: string,
  described: readonly DescribedAction[],
): PluginRunnerError {
  const { code } = plugin.info;
  const names = described.map((other) => other.name).filter((other) => other !== "");
  const available = names.sort(compareText).slice(0, maxNames).join(", ");
  const like = plugin.binding.language === "python" ? `plugin.module:${name}` : `./file.ts#${name}`;
  return new PluginRunnerError(
    "ACTION_NOT_FOUND",
    `config.yaml of ${code} declares the action ${name} without an entrypoint, and the code has no action of this name.${available === "" ? "" : ` It has: ${available}.`} Add one, such as entrypoint: ${like}`,
    { metadata: { plugin: code, action: name, available, nearest: nearest(name, names), file: "config.yaml" } },
  );
}

/** Several actions have the name. */
export function ambiguousAction(plugin: LoadedPlugin, name: string, entrypoints: readonly string[]): PluginRunnerError {
  const { code } = plugin.info;
  return new PluginRunnerError("PLUGIN_INVALID", `In the plugin ${code}, ${sameName(name, entrypoints)}`, {
    metadata: { plugin: code, action: name, candidates: entrypoints.join(", ") },
  });
}

/** No action has the name: neither a declared one nor one of the others, which were found. */
export function unknownAction(
  plugin: LoadedPlugin,
  name: string,
  declared: ReadonlyMap<string, ActionConfig>,
  others: readonly { name: string }[],
): PluginRunnerError {
  const { code } = plugin.info;
  const all = [...declared.keys(), ...others.map((other) => other.name)];
  const names = [...new Set(all.filter((other) => other !== ""))].sort(compareText);
  const available = names.slice(0, maxNames).join(", ");
  const shown = name.length > 200 ? `${name.slice(0, 200)}…` : name;
  const key = titled(declared, name);
  const hint = titleHint(key) || didYouMean(name, names) || listed(available);
  return new PluginRunnerError("ACTION_NOT_FOUND", `The plugin ${code} has no action ${shown}.${hint}`, {
    metadata: { plugin: code, action: shown, available, nearest: key ?? nearest(name, names) },
  });
}

/** Names for people are often taken for those that actions are called by. */
function titleHint(key: string | undefined): string {
  return key === undefined ? "" : ` It is the name that config.yaml shows of the action ${key}: ask for ${key}.`;
}

/** The one action that has a title. */
function titled(declared: ReadonlyMap<string, ActionConfig>, title: string): string | undefined {
  const named = [...declared.values()].filter((action) => action.title === title && title !== "");
  return named.length === 1 ? named[0]?.name : undefined;
}

function listed(available: string): string {
  return available === "" ? " It has none." : ` It has: ${available}.`;
}
