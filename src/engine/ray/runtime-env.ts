import { dirname, isAbsolute, join, relative } from "node:path";
import type { JsonObject, JsonValue } from "@bufbuild/protobuf";
import { PluginRunnerError } from "../../errors.ts";
import { isInside } from "../../plugin/entrypoint.ts";
import type { LoadedPlugin, Requirements } from "../../plugin/plugin.ts";
import { isInclude, readRequirementLines } from "../../plugin/requirement-lines.ts";
import { isJsonObject } from "../../util/json.ts";

/** What a plugin's `runtime_env` may say to Ray. Code and variables are this service's to choose. */
const allowedKeys = ["pip", "uv", "conda", "image_uri", "container", "config"];

/** Where Ray unpacks `working_dir`, in what pip is given. */
const workingDir = "$" + "{RAY_RUNTIME_ENV_CREATE_WORKING_DIR}";
const maxIncludes = 20;

/**
 * The `runtime_env` of a plugin: what its configuration says, with the packages that its `requirements.txt` names. It is
 * shown in Ray's pages and holds no variable of the plugin.
 * @throws PLUGIN_INVALID when the two cannot be had together
 */
export function runtimeEnvOf(plugin: LoadedPlugin): JsonObject {
  const { requirements, runtimeEnv = {}, info } = plugin;
  const kept = Object.fromEntries(Object.entries(runtimeEnv).filter(([key]) => allowedKeys.includes(key)));
  if (requirements === undefined || requirements.manager === "npm") return kept;
  const { manager } = requirements;
  const other = ["pip", "uv", "conda"].find((key) => key !== manager && key in kept);
  if (other !== undefined) {
    throw new PluginRunnerError(
      "PLUGIN_INVALID",
      `Plugin ${info.code} has requirements for ${manager} and a runtime_env for ${other}; Ray takes only one of them.`,
      { metadata: { plugin: info.code, manager, other } },
    );
  }
  const { root, origin = root } = plugin.binding;
  const base = isInside(requirements.file, root) ? root : origin;
  return { ...kept, [manager]: withRequirements(kept[manager], requirements, base) };
}

function withRequirements(configured: JsonValue | undefined, requirements: Requirements, root: string): JsonObject {
  const { manager, file, options, wheelsDir } = requirements;
  const base = isJsonObject(configured) ? configured : { packages: configured ?? [] };
  const named = Array.isArray(base.packages) ? base.packages : [];
  const wheels = wheelsDir === "" ? [] : ["--find-links", `${workingDir}/${relative(root, wheelsDir)}`];
  const lines = requirementLines(file, root);
  if (manager === "uv") {
    const all = ["--no-cache", ...wheels, ...options];
    return { ...base, packages: [...named, ...lines], ...(all.length > 1 && { uv_pip_install_options: all }) };
  }
  const found = wheels.length === 0 ? [] : [wheels.join(" ")];
  const all = ["--disable-pip-version-check", "--no-cache-dir", ...options];
  return {
    ...base,
    packages: [...found, ...named, ...lines],
    ...(options.length > 0 && { pip_install_options: all }),
  };
}

/** The lines of a requirements file and of those that it includes: Ray keys environments by them, not by files. */
function requirementLines(file: string, root: string, seen: readonly string[] = []): string[] {
  if (seen.includes(file) || seen.length > maxIncludes) return [];
  return readRequirementLines(file).flatMap((line) => {
    const { text, option, path } = line;
    if (path === undefined || isAbsolute(path)) return [text];
    const target = join(dirname(file), path);
    if (isInclude(line)) return requirementLines(target, root, [...seen, file]);
    const there = `${workingDir}/${relative(root, target)}`;
    return [option === undefined ? there : `${option} ${there}`];
  });
}
