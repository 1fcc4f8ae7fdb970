import { realpathSync } from "node:fs";
import { resolve, sep } from "node:path";
import { PluginRunnerError } from "../errors.ts";
import type { Binding } from "../worker/messages.ts";
import { isAction } from "./define-action.ts";
import type { JsonSchema } from "./from-schema.ts";
import { importFailed } from "./import-failure.ts";
import { bindModules, moduleUrl } from "./module-hooks.ts";

/** The code of an action, loaded: what `defineAction` returned, or a plain function. */
export interface ActionCode {
  /** Undefined where the code names none. */
  readonly name: string | undefined;
  readonly description: string;
  readonly params: JsonSchema | undefined;
  readonly result: JsonSchema | undefined;
  run(params: unknown, ctx: unknown): unknown;
}

/** A module's exports by name. */
export type Exports = Readonly<Record<string, unknown>>;

/**
 * Loads the action that an entry point (`./file.js#name`) names. Loading it again gives the same code until the binding's
 * digest changes. Throws MODULE_FORBIDDEN for a file outside the root, PLUGIN_INVALID when the file cannot be loaded or
 * the export is no action, ACTION_NOT_FOUND when there is no such export.
 */
export async function loadAction(binding: Binding, entrypoint: string): Promise<ActionCode> {
  const { file, name } = parseEntrypoint(entrypoint);
  const exports = await importFile(binding, file);
  const value = exports[name];
  if (value === undefined) throw await exportMissing(entrypoint, name, exports);
  const code = toActionCode(value);
  if (code !== undefined) return code;
  const what = isClass(value) ? "is a class" : "is neither an action of defineAction nor a function";
  const message = `${entrypoint} ${what}: export defineAction({ run: (params, ctx) => … }), or a function.`;
  throw new PluginRunnerError("PLUGIN_INVALID", message, { metadata: { entrypoint, file } });
}

/** Loads a file of a binding, given relative to its root, and returns what it exports. Throws as `loadAction` does. */
export async function importFile(binding: Binding, file: string): Promise<Exports> {
  const path = locate(binding, file);
  bindModules(binding);
  try {
    const module: unknown = await import(moduleUrl(path, binding.digest));
    return exportsOf(module);
  } catch (error) {
    throw await importFailed(binding.root, path, error);
  }
}

function parseEntrypoint(entrypoint: string): { file: string; name: string } {
  const hash = entrypoint.lastIndexOf("#");
  if (hash < 0) return { file: entrypoint, name: "default" };
  return { file: entrypoint.slice(0, hash), name: entrypoint.slice(hash + 1) || "default" };
}

/** The real path of a file, which has to be inside the root. */
function locate(binding: Binding, file: string): string {
  const path = resolve(binding.root, file);
  const real = isInside(binding.root, path) ? realPath(path) : undefined;
  // What is no part of a snapshot's content is a link to where it stands.
  const folders = [binding.root, binding.origin ?? binding.root];
  if (real !== undefined && folders.some((folder) => isInside(folder, real))) return real;
  const reason = real === undefined && isInside(binding.root, path) ? "PLUGIN_INVALID" : "MODULE_FORBIDDEN";
  const what =
    reason === "PLUGIN_INVALID" ? "There is no such file in the plugin" : "It is outside the plugin's folder";
  throw new PluginRunnerError(reason, `Cannot load ${file} of plugin ${binding.code}. ${what}.`, {
    metadata: { file, plugin: binding.code },
  });
}

function realPath(path: string): string | undefined {
  try {
    return realpathSync(path);
  } catch {
    return undefined; // absent, or not readable: the caller says so
  }
}

function isInside(root: string, path: string): boolean {
  return path.startsWith(root.endsWith(sep) ? root : root + sep);
}

/** Node does not find every name that a CommonJS module exports; the default export has them all. */
function exportsOf(module: unknown): Exports {
  if (!isRecord(module)) return {};
  const inner = "module.exports" in module ? module["module.exports"] : undefined;
  return isRecord(inner) ? { ...inner, ...module } : module;
}

function toActionCode(value: unknown): ActionCode | undefined {
  if (isAction(value)) return value;
  if (!isFunction(value)) return undefined;
  return { name: undefined, description: "", params: undefined, result: undefined, run: value };
}

async function exportMissing(entrypoint: string, name: string, exports: Exports): Promise<PluginRunnerError> {
  const available = Object.keys(exports).filter(
    (key) => toActionCode(exports[key]) !== undefined && key !== "module.exports",
  );
  const { didYouMean, nearest } = await import("../util/nearest.ts"); // what works has no need of it
  return new PluginRunnerError(
    "ACTION_NOT_FOUND",
    `${entrypoint} does not exist: its file exports no ${name}.${didYouMean(name, available)}`,
    {
      metadata: { entrypoint, name, available: available.join(","), nearest: nearest(name, available) },
    },
  );
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return value !== null && (typeof value === "object" || typeof value === "function");
}

function isFunction(value: unknown): value is ActionCode["run"] {
  return typeof value === "function" && !isClass(value);
}

/** A class cannot be called, and tells so only by its text. */
function isClass(value: unknown): boolean {
  return typeof value === "function" && /^class\b/.test(Function.prototype.toString.call(value));
}
