import { createHash } from "node:crypto";
import { readFile } from "node:fs/promises";
import { PluginRunnerError } from "../errors.ts";
import type { FileTree } from "./file-tree.ts";
import type { LoadedPlugin } from "./plugin.ts";
import type { Trees } from "./trees.ts";

/** Where the content of a version stood when it was read, and what it was. */
export interface PluginSource {
  /** The folder or file that its digest covers. */
  tree: string;
  treeDigest: string;
  /** Empty for a module. */
  configFile: string;
  configDigest: string;
}

/**
 * The files of a plugin, which are the ones that its digest names; undefined for a plugin that stands nowhere in the roots.
 * @throws PLUGIN_CHANGED
 */
export async function unchangedTree(plugin: LoadedPlugin, trees: Trees): Promise<FileTree | undefined> {
  const { source } = plugin;
  if (!source) return undefined;
  const [tree, config] = await Promise.all([
    trees.read(source.tree, performance.now()).catch(absent),
    source.configFile === "" ? "" : digestOf(source.configFile),
  ]);
  if (tree?.digest !== source.treeDigest || config !== source.configDigest) throw pluginChanged(plugin);
  return tree;
}

/** The PLUGIN_CHANGED for a version that is no longer there. */
export function pluginChanged({ info }: Pick<LoadedPlugin, "info">): PluginRunnerError {
  return new PluginRunnerError(
    "PLUGIN_CHANGED",
    `The plugin ${info.code} is no longer what was asked for (version ${info.version}, digest ${info.digest.slice(0, 12)}): its files have changed. Ask again to run what is there now.`,
    { metadata: { plugin: info.code, plugin_version: info.version, plugin_digest: info.digest } },
  );
}

function absent(error: unknown): undefined {
  if (error instanceof PluginRunnerError && error.reason === "PLUGIN_NOT_FOUND") return undefined;
  throw error;
}

async function digestOf(file: string): Promise<string> {
  try {
    return createHash("sha256")
      .update(await readFile(file, "utf8"))
      .digest("hex");
  } catch {
    return "gone";
  }
}
