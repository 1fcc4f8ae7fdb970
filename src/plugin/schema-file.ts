import { realpathSync } from "node:fs";
import { extname, join } from "node:path";
import type { JsonObject } from "@bufbuild/protobuf";
import { PluginRunnerError } from "../errors.ts";
import { isObject } from "../util/is-object.ts";
import { toJsonObject } from "./config.ts";
import { isInside } from "./entrypoint.ts";
import { roundedInteger } from "./rounded-integer.ts";
import { readYaml } from "./safe-yaml.ts";

/**
 * Reads a JSON Schema from a `.json` or `.yaml` file of a plugin.
 * @param file relative to `folder`, and inside it
 * @throws PLUGIN_INVALID
 */
export function readSchemaFile(folder: string, file: string): JsonObject {
  const path = realPath(join(folder, file));
  if (path === undefined || !isInside(path, folder)) throw invalid(file, "is not a file of the plugin");
  if (![".json", ".yaml", ".yml"].includes(extname(path))) throw invalid(file, "is neither .json nor .yaml");
  // JSON is YAML: read as such, it has the same limits and the same errors.
  const yaml = readYaml(path, file);
  const { value } = yaml;
  if (!isObject(value)) throw invalid(file, "is not a JSON Schema: an object");
  const rounded = roundedInteger(value, yaml, []);
  if (rounded !== "") throw invalid(file, rounded.replace(/\.$/, ""));
  return toJsonObject(value);
}

function realPath(path: string): string | undefined {
  try {
    return realpathSync(path);
  } catch {
    return undefined;
  }
}

function invalid(file: string, problem: string): PluginRunnerError {
  return new PluginRunnerError("PLUGIN_INVALID", `The schema file ${file} ${problem}.`, {
    metadata: { file, problem },
  });
}
