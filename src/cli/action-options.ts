import { text } from "node:stream/consumers";
import type { ActionOptions } from "../grpc/client.ts";
import { read } from "./client-options.ts";
import { parsePair } from "./option-values.ts";
import type { Option, OptionValues } from "./options.ts";
import { readParam, readParamsObject } from "./param-values.ts";
import { UsageError } from "./usage-error.ts";
import type { Io } from "./verb.ts";

/** The options that say what an action is given. */
export const paramOptions = [
  {
    name: "param",
    type: "list",
    value: "NAME=VALUE",
    description:
      "One parameter: JSON where the value parses as JSON, with NaN, Infinity and -Infinity as numbers, else a string. " +
      "Wins over --params.",
  },
  {
    name: "params",
    type: "string",
    value: "JSON|@FILE|-",
    description:
      "All parameters as a JSON object: the text itself, a file, or standard input. A file that ends in .yaml or .yml is YAML.",
  },
  {
    name: "entrypoint",
    type: "string",
    value: "NAME",
    description: "Name the code and skip discovery: package.module:Class or ./file.js#name.",
  },
  { name: "env", type: "list", value: "NAME=VALUE", description: "An environment variable for the action." },
] as const satisfies readonly Option[];

/** The options that say how an action is run. */
export const actionOptions = [
  ...paramOptions,
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
export async function readParams(
  values: OptionValues<typeof paramOptions>,
  io: Io,
): Promise<Readonly<Record<string, unknown>>> {
  const all = values.params === undefined ? {} : await readAll(values.params, io);
  const single = pairs("--param", values.param).map(([name, value]) => [name, readParam("--param", value)] as const);
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

async function readAll(params: string, io: Io): Promise<Record<string, unknown>> {
  const file = params.startsWith("@") ? params.slice(1) : undefined;
  if (file !== undefined) return readParamsObject(`--params ${params}`, read("--params", file), /\.ya?ml$/i.test(file));
  return readParamsObject("--params", params === "-" ? await text(io.stdin) : params, false);
}
