import { text } from "node:stream/consumers";
import type { JsonObject, JsonValue } from "@bufbuild/protobuf";
import type { ActionOptions } from "../grpc/client.ts";
import { isJsonObject } from "../util/json.ts";
import { read } from "./client-options.ts";
import { parsePair } from "./option-values.ts";
import type { Option, OptionValues } from "./options.ts";
import { UsageError } from "./usage-error.ts";
import type { Io } from "./verb.ts";

/** The options that say what an action is given. */
export const paramOptions = [
  {
    name: "param",
    type: "list",
    value: "NAME=VALUE",
    description: "One parameter: JSON where the value parses as JSON, else a string. Wins over --params.",
  },
  {
    name: "params",
    type: "string",
    value: "JSON|@FILE|-",
    description: "All parameters as a JSON object: the text itself, a file, or standard input.",
  },
  {
    name: "entrypoint",
    type: "string",
    value: "NAME",
    description: "Name the code and skip discovery: package.module:Class or ./file.js#name.",
  },
] as const satisfies readonly Option[];

/** The options that say how an action is run. */
export const actionOptions = [
  ...paramOptions,
  { name: "env", type: "list", value: "NAME=VALUE", description: "An environment variable for the action." },
  { name: "timeout", type: "duration", description: "The longest time that the action may take." },
  { name: "job-id", type: "string", value: "ID", description: "An id of one's own, for tracking." },
  { name: "cpus", type: "number", min: 0, description: "CPU cores that the action needs." },
  { name: "gpus", type: "number", min: 0, description: "GPUs that the action needs." },
  { name: "memory", type: "bytes", description: "Memory that the action needs." },
] as const satisfies readonly Option[];

/** The plugin and the action that a command names. */
export function readTarget(positionals: readonly string[], entrypoint: string | undefined): [string, string] {
  const [plugin, action = "", ...more] = positionals;
  if (plugin === undefined) throw new UsageError("Name the plugin and the action.");
  if (action === "" && entrypoint === undefined) throw new UsageError("Name the action after the plugin.");
  if (more.length > 0) throw new UsageError(`Unexpected argument: ${more[0]}. Parameters are given by --param.`);
  return [plugin, action];
}

/** The params of an action, from `--params` and `--param`. */
export async function readParams(values: OptionValues<typeof paramOptions>, io: Io): Promise<JsonObject> {
  const all = values.params === undefined ? {} : parseObject(await textOf(values.params, io));
  const single = pairs("--param", values.param).map(([name, value]) => [name, jsonOrText(value)] as const);
  return Object.fromEntries([...Object.entries(all), ...single]);
}

/** How an action is run, from its flags. */
export function readActionOptions(values: OptionValues<typeof actionOptions>): ActionOptions {
  const memoryMib = values.memory === undefined ? undefined : Math.ceil(values.memory / 1024 ** 2);
  return {
    entrypoint: values.entrypoint,
    env: Object.fromEntries(pairs("--env", values.env)),
    jobId: values.jobId,
    timeoutMs: values.timeout,
    resources: {
      ...(values.cpus !== undefined && { cpus: values.cpus }),
      ...(values.gpus !== undefined && { gpus: values.gpus }),
      ...(memoryMib !== undefined && { memoryMib }),
    },
  };
}

/** The values of a repeated `NAME=VALUE` flag. */
export function pairs(flag: string, texts: readonly string[]): [string, string][] {
  return texts.map((each) => {
    try {
      return parsePair(each);
    } catch {
      throw new UsageError(`${flag}: expected NAME=VALUE.`);
    }
  });
}

function textOf(params: string, io: Io): Promise<string> | string {
  if (params === "-") return text(io.stdin);
  return params.startsWith("@") ? read("--params", params.slice(1)) : params;
}

function parseObject(json: string): JsonObject {
  try {
    const value: JsonValue = JSON.parse(json);
    if (isJsonObject(value)) return value;
  } catch (cause) {
    throw new UsageError(`--params: ${cause instanceof Error ? cause.message : cause}`, { cause });
  }
  throw new UsageError("--params: expected a JSON object.");
}

function jsonOrText(value: string): JsonValue {
  try {
    return JSON.parse(value);
  } catch {
    return value;
  }
}
