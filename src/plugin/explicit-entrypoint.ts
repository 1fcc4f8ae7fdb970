import { existsSync } from "node:fs";
import { join } from "node:path";
import { PluginRunnerError, requestInvalid } from "../errors.ts";
import { type Entrypoint, entrypointFile, isInside, parseEntrypoint } from "./entrypoint.ts";
import type { LoadedPlugin } from "./plugin.ts";

/**
 * Checks an entry point that a caller gives: its code has to be the plugin's own, or a module that is allowed by name.
 * @throws REQUEST_INVALID, ACTION_NOT_FOUND when the plugin has no such module, MODULE_FORBIDDEN
 */
export function checkEntrypoint({ binding }: LoadedPlugin, text: string, allowModules: readonly string[]): Entrypoint {
  const shown = text.length > 200 ? `${text.slice(0, 200)}…` : text;
  const entrypoint = parseEntrypoint(text);
  if (!entrypoint) {
    throw requestInvalid("/entrypoint", `${JSON.stringify(shown)} is neither package.module:Name nor ./file.js#name`);
  }
  const { language, module } = entrypoint;
  const metadata = { plugin: binding.code, entrypoint: shown, module };
  if (language !== binding.language) {
    throw requestInvalid(
      "/entrypoint",
      `${shown} is ${language}, and the plugin ${binding.code} is ${binding.language}`,
    );
  }
  if (allowModules.some((name) => language === "python" && (module === name || module.startsWith(`${name}.`)))) {
    return entrypoint;
  }
  const file = isOfPlugin(entrypoint, binding) ? entrypointFile(binding.root, entrypoint) : undefined;
  if (file !== undefined && isInside(file, binding.root)) return entrypoint;
  if (file === undefined && isOfPlugin(entrypoint, binding) && startsThere(entrypoint, binding.root)) {
    throw new PluginRunnerError("ACTION_NOT_FOUND", `The plugin ${binding.code} has no module ${module}.`, {
      metadata,
    });
  }
  throw new PluginRunnerError(
    "MODULE_FORBIDDEN",
    `${module} is not a module of the plugin ${binding.code}. A module from elsewhere needs --allow-module.`,
    { metadata },
  );
}

/** Under a plugin root stand other plugins too: a plugin that is a module has only what its digest covers. */
function isOfPlugin({ module }: Entrypoint, { root, module: own, language }: LoadedPlugin["binding"]): boolean {
  if (root === "") return false;
  if (own === "") return true;
  const divider = language === "python" ? "." : "/";
  const depth = language === "python" ? 1 : 2;
  const top = own.split(divider, depth).join(divider);
  return module === top || module.startsWith(`${top}${divider}`);
}

function startsThere({ language, module }: Entrypoint, root: string): boolean {
  if (language === "javascript") return true;
  const [top = module] = module.split(".");
  return existsSync(join(root, top)) || existsSync(join(root, `${top}.py`));
}
