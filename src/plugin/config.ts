import { createHash } from "node:crypto";
import { basename } from "node:path";
import { create, type JsonObject } from "@bufbuild/protobuf";
import type { ErrorObject } from "ajv";
import {
  type PluginIssue,
  PluginIssueSchema,
  type Resources,
  ResourcesSchema,
} from "../../gen/ts/pluginrunner/v1/plugin_pb.ts";
import { isObject } from "../util/is-object.ts";
import { jsonPointer, pointerPath } from "../util/json-pointer.ts";
import { withNumbers } from "../util/non-finite.ts";
import { toPlainJson } from "../util/plain-json.ts";
import { actionKeys, checkConfig, unknownKeys } from "./config-schema.ts";
import { parseEntrypoint } from "./entrypoint.ts";
import { type Fault, fileInvalid } from "./file-fault.ts";
import { roundedInteger } from "./rounded-integer.ts";
import { readYaml, type YamlText } from "./safe-yaml.ts";
import { parseDuration, parseMemory } from "./units.ts";
import { toViolations } from "./violations.ts";

const longestTimeoutMs = 3650 * 86_400_000;
const largestMemoryMib = 2 ** 31 - 1;

/** One action as a `config.yaml` declares it. */
export interface ActionConfig {
  /** The key that it stands under. */
  name: string;
  /** For people; nothing is found by it. */
  title: string;
  description: string;
  /** Empty when the code has to be searched for the name. */
  entrypoint: string;
  method: string;
  /** A JSON Schema, or the path of a file that holds one. */
  params: JsonObject | string | undefined;
  result: JsonObject | string | undefined;
  resources: Resources | undefined;
  timeoutMs: number | undefined;
}

/** A `config.yaml` that was read and found usable. */
export interface PluginConfig {
  /** SHA-256 of the file, in hexadecimal. */
  digest: string;
  name: string;
  code: string;
  version: string;
  description: string;
  category: string;
  env: Record<string, string>;
  /** Without `env_vars`, which are in `env`. */
  runtimeEnv: JsonObject;
  packageManager: "pip" | "uv";
  packageManagerOptions: string[];
  wheelsDir: string;
  actions: Map<string, ActionConfig>;
  /** Actions that cannot be run, by name. */
  unusable: Map<string, PluginIssue>;
  /** All that was noticed, unusable actions included. */
  issues: PluginIssue[];
}

/**
 * Reads a plugin's `config.yaml`. What is wrong with a single action makes only that action unusable.
 * @throws PLUGIN_INVALID with line, column and excerpt
 */
export function readConfig(path: string): PluginConfig {
  const file = basename(path);
  const yaml = readYaml(path, file);
  const config = withoutNulls(yaml.value);
  const unusable = new Map<string, PluginIssue>();
  const [first, ...others] = sortFaults(checkConfig(config), yaml, file, unusable);
  if (first) throw fileInvalid(file, [first, ...others], yaml.text);
  return toConfig(isObject(config) ? config : {}, yaml, file, unusable);
}

/** `description:` with nothing after it is the same as no description. */
function withoutNulls(value: unknown): unknown {
  if (!isObject(value)) return value;
  const present = Object.entries(value).filter(([, child]) => child !== null);
  const actions = value.actions;
  return Object.fromEntries([
    ...present,
    ...(isObject(actions)
      ? [["actions", Object.fromEntries(Object.entries(actions).map(([name, action]) => [name, dropNulls(action)]))]]
      : []),
  ]);
}

function dropNulls(action: unknown): unknown {
  if (!isObject(action)) return action;
  return Object.fromEntries(Object.entries(action).filter(([, child]) => child !== null));
}

/** Faults of the plugin; those of an action go to `unusable` instead. */
function sortFaults(
  errors: readonly ErrorObject[],
  yaml: YamlText,
  file: string,
  unusable: Map<string, PluginIssue>,
): Fault[] {
  const faults: Fault[] = [];
  for (const { field, description, rule } of toViolations(errors, "")) {
    const path = pointerPath(field);
    const position = yaml.locate(path) ?? yaml.locate(path.slice(0, -1));
    const [section, action] = path;
    if (section !== "actions" || action === undefined) faults.push({ field, description, rule, position });
    else if (!unusable.has(action)) {
      const message = path.length === 2 && rule === "type" ? notAnAction(action, yaml.written(path)) : undefined;
      const issue = { message: message ?? `${field} ${description}`, file, ...(position ?? {}) };
      unusable.set(action, create(PluginIssueSchema, issue));
    }
  }
  return faults;
}

function notAnAction(name: string, written = ""): string {
  const entrypoint = parseEntrypoint(written) ? written : "plugin.main:run";
  const keys = actionKeys().join(", ");
  return `/actions/${name} must be an object: write ${name}: {entrypoint: "${entrypoint}"}. It takes the keys ${keys}.`;
}

function toConfig(
  config: Record<string, unknown>,
  yaml: YamlText,
  file: string,
  unusable: Map<string, PluginIssue>,
): PluginConfig {
  const issueAt = (path: readonly string[], message: string): PluginIssue => {
    const position = yaml.locate(path, "key") ?? yaml.locate(path);
    return create(PluginIssueSchema, { message, file, ...(position ?? {}) });
  };
  const actions = new Map<string, ActionConfig>();
  for (const [key, value] of Object.entries(isObject(config.actions) ? config.actions : {})) {
    if (unusable.has(key) || !isObject(value)) continue;
    const action = toAction(key, value);
    const schemas = ["params", "result"] as const;
    const rounded = schemas.map((part) => roundedInteger(value[part], yaml, ["actions", key, part])).find(Boolean);
    const problem = actionProblem(action) || (rounded ?? "");
    if (problem === "") actions.set(action.name, action);
    else unusable.set(key, issueAt(["actions", key], `The action ${key} ${problem}`));
  }
  const unknown = unknownKeys(config).map(({ path, suggestion }) =>
    issueAt(path, `The key ${jsonPointer(path)} is not known and changes nothing.${suggestion}`),
  );
  const misleading = [...actions.values()]
    .filter(({ name, title }) => title !== name && (actions.has(title) || unusable.has(title)))
    .map(({ name, title }) =>
      issueAt(
        ["actions", name, "name"],
        `The action ${name} has the name ${title}, which is another action. Its key is what it is called by.`,
      ),
    );
  const runtimeEnv = isObject(config.runtime_env) ? config.runtime_env : {};
  return {
    digest: createHash("sha256").update(yaml.text).digest("hex"),
    name: text(config.name),
    code: text(config.code),
    version: yaml.written(["version"]) ?? "0.1.0",
    description: text(config.description),
    category: text(config.category),
    env: {
      ...toEnv(runtimeEnv.env_vars, ["runtime_env", "env_vars"], yaml),
      ...toEnv(config.env, ["env"], yaml),
    },
    runtimeEnv: withoutVariables(runtimeEnv),
    packageManager: config.package_manager === "uv" ? "uv" : "pip",
    packageManagerOptions: toOptions(config.package_manager_options),
    wheelsDir: text(config.wheels_dir) || "wheels",
    actions,
    unusable,
    issues: [...unusable.values(), ...misleading, ...unknown],
  };
}

function withoutVariables({ env_vars: _, ...others }: Record<string, unknown>): JsonObject {
  return toJsonObject(others);
}

function toAction(key: string, value: Record<string, unknown>): ActionConfig {
  return {
    name: key,
    title: text(value.name),
    description: text(value.description),
    entrypoint: text(value.entrypoint),
    method: text(value.method),
    params: toSchema(value.params),
    result: toSchema(value.result),
    resources: toResources(value.resources),
    timeoutMs: parseDuration(value.timeout),
  };
}

function actionProblem({ entrypoint, timeoutMs = 0, resources }: ActionConfig): string {
  if (timeoutMs > longestTimeoutMs) return "has a timeout of more than ten years.";
  const { cpus, gpus, custom } = resources ?? {};
  const endless = Object.entries({ cpus, gpus, ...custom }).find(([, amount]) => amount === Number.POSITIVE_INFINITY);
  if (endless) return `asks for infinite ${endless[0]}.`;
  if ((resources?.memoryMib ?? 0) > largestMemoryMib) return "asks for more memory than there can be.";
  if (entrypoint === "" || parseEntrypoint(entrypoint)) return "";
  return `has an entrypoint that is none: ${entrypoint.slice(0, 100)}. It is package.module:Name or ./file.js#name.`;
}

function toSchema(value: unknown): JsonObject | string | undefined {
  if (typeof value === "string") return value;
  return isObject(value) ? toJsonObject(value) : undefined;
}

/** As JSON would have it: dates of YAML become text. NaN and infinities stay numbers. */
export function toJsonObject(given: Record<string, unknown>): JsonObject {
  const { value, nonFinite } = toPlainJson(given);
  const copy = withNumbers(value, nonFinite);
  return isObject(copy) ? copy : {};
}

function toResources(value: unknown): Resources | undefined {
  if (!isObject(value)) return undefined;
  const { cpus, gpus, memory_mib: mib, memory, custom } = value;
  const memoryMib = typeof mib === "number" ? mib : parseMemory(memory);
  return create(ResourcesSchema, {
    ...(typeof cpus === "number" ? { cpus } : {}),
    ...(typeof gpus === "number" ? { gpus } : {}),
    ...(memoryMib === undefined ? {} : { memoryMib }),
    custom: isObject(custom) ? Object.fromEntries(Object.entries(custom).map(([name, n]) => [name, Number(n)])) : {},
  });
}

/** Values as they are written: `1.10` stays `1.10`. */
function toEnv(value: unknown, path: readonly string[], yaml: YamlText): Record<string, string> {
  if (!isObject(value)) return {};
  return Object.fromEntries(
    Object.entries(value).map(([name, entry]) => [
      name,
      typeof entry === "string" ? entry : entry === null ? "" : (yaml.written([...path, name]) ?? String(entry)),
    ]),
  );
}

function toOptions(value: unknown): string[] {
  if (typeof value === "string") return value.split(/\s+/).filter((word) => word !== "");
  return Array.isArray(value) ? value.map(String) : [];
}

function text(value: unknown): string {
  return typeof value === "string" ? value : "";
}
