import { basename, join } from "node:path";
import { pointerPath } from "../util/json-pointer.ts";
import type { ActionConfig } from "./config.ts";
import type { Position } from "./file-fault.ts";
import { readYaml } from "./safe-yaml.ts";

/** Where something stands in a plugin's files. */
export interface Place extends Position {
  /** Relative to the plugin's folder. */
  file: string;
}

/**
 * Where a part of an action's params schema stands. Reads the file again: that is needed for faults alone, which are
 * rare, where the text of every plugin would be kept for them.
 * @param pointer into the schema
 */
export function schemaPlace(
  folder: string,
  configFile: string,
  { name, params }: Pick<ActionConfig, "name" | "params">,
  pointer: string,
): Place | undefined {
  const own = typeof params === "string";
  const file = own ? params : basename(configFile);
  const before = own ? [] : ["actions", name, "params"];
  try {
    const yaml = readYaml(join(folder, file), file);
    for (let path = [...before, ...pointerPath(pointer)]; ; path = path.slice(0, -1)) {
      const position = yaml.locate(path, "key") ?? yaml.locate(path);
      if (position) return { file, ...position };
      if (path.length === 0) return undefined;
    }
  } catch {
    return undefined; // the file has changed or is gone: the message stands without its place
  }
}
