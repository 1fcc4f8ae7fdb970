import { create } from "@bufbuild/protobuf";
import { type PluginIssue, PluginIssueSchema } from "../../gen/ts/pluginrunner/v1/plugin_pb.ts";
import type { DescribedAction, ScannedAction } from "../worker/messages.ts";

/** An action that a plugin's code has, as its text or the loaded code says. */
type FoundAction = ScannedAction | DescribedAction;

/** The entry points that have a name: more than one where nobody can tell which is meant. */
export function entrypointsNamed(name: string, found: readonly FoundAction[]): string[] {
  return [...new Set(found.filter((action) => action.name === name).map(({ entrypoint }) => entrypoint))];
}

/** The actions that are found by their names. */
export function clearlyNamed<T extends FoundAction>(found: readonly T[], all: readonly FoundAction[]): T[] {
  return found.filter(({ name }) => name !== "" && entrypointsNamed(name, all).length === 1);
}

/** An issue for each name that several actions have, but for those whose entry point the configuration says. */
export function sameNameIssues(found: readonly FoundAction[], settled: (name: string) => boolean): PluginIssue[] {
  return [...new Set(found.map(({ name }) => name))].flatMap((name) => {
    const entrypoints = entrypointsNamed(name, found);
    if (name === "" || entrypoints.length < 2 || settled(name)) return [];
    return [create(PluginIssueSchema, { message: sameName(name, entrypoints) })];
  });
}

/** What is wrong with a name that several actions have. */
export function sameName(name: string, entrypoints: readonly string[]): string {
  return `${entrypoints.length} actions are called ${name}: ${entrypoints.join(", ")}. Rename all but one, or name the entrypoint of the one that is meant in config.yaml.`;
}

/** Says of actions that the text of the code does not show. */
export function hiddenIssues(scanned: readonly ScannedAction[]): PluginIssue[] {
  if (scanned.length === 0) {
    const message = "The text of the code shows no action. GetPlugin loads the code, and shows those that it makes.";
    return [create(PluginIssueSchema, { message })];
  }
  return scanned
    .filter(({ name }) => name === "")
    .map(({ description: file, line }) => {
      const message = `${file}:${line} makes actions whose names only the loaded code knows: GetPlugin shows them.`;
      return create(PluginIssueSchema, { message, file, line });
    });
}
