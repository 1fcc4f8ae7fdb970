import { readFileSync } from "node:fs";
import { parseArgs } from "node:util";
import { didYouMean } from "../util/nearest.ts";
import type { FoundValue, Option, OptionValues } from "./option.ts";
import { readOptionFile } from "./option-file.ts";
import { parseBoolean, parseBytes, parseDuration, parseInteger, parseList, parseNumber } from "./option-values.ts";
import { UsageError } from "./usage-error.ts";

export type { Option, OptionValues } from "./option.ts";

/**
 * Reads the options of a service: flags over environment variables (`PLUGIN_RUNNER_<NAME>`) over the YAML file that
 * `--config` or `PLUGIN_RUNNER_CONFIG` names, whose keys are the flags' names. Throws one UsageError with every fault.
 */
export function readOptions<const T extends readonly Option[]>(
  table: T,
  args: readonly string[],
  env: Readonly<Record<string, string | undefined>>,
  readFile: (path: string) => string = (path) => readFileSync(path, "utf8"),
): OptionValues<T> {
  const flags = readFlags([...table, configOption], args);
  if (flags.positionals.length > 0) flags.faults.push(`Unexpected argument: ${flags.positionals[0]}.`);
  const variables = readVariables([...table, configOption], env, defaultVariable);
  const path = [...variables, ...flags.found].findLast((value) => value.name === configOption.name)?.texts.at(-1);
  const file = path === undefined ? { found: [], faults: [] } : readOptionFile(table, path, readFile);
  const misnamed = findMisnamed([...table, configOption], env);
  return settle(table, [...file.found, ...variables, ...flags.found], [...file.faults, ...misnamed, ...flags.faults]);
}

/** Reads the flags and arguments of a command; options with an `env` come from there where the flag is absent. */
export function readArguments<const T extends readonly Option[]>(
  table: T,
  args: readonly string[],
  env: Readonly<Record<string, string | undefined>>,
): { values: OptionValues<T>; positionals: readonly string[] } {
  const flags = readFlags(table, args);
  const variables = readVariables(table, env, (option) => option.env);
  return { values: settle(table, [...variables, ...flags.found], flags.faults), positionals: flags.positionals };
}

/** Read by `readOptions` beside the options of its table. */
export const configOption = {
  name: "config",
  type: "string",
  value: "FILE",
  description: "A YAML file with options: their names as keys.",
  env: "PLUGIN_RUNNER_CONFIG",
} as const satisfies Option;

function defaultVariable(option: Option): string {
  return option.env ?? `PLUGIN_RUNNER_${option.name.replaceAll("-", "_").toUpperCase()}`;
}

/** Variables that others than a service read: clients, and processes that a service starts. */
const otherVariables = /^PLUGIN_RUNNER_(ADDRESS|TOKEN|SCOPE|OWNER|TARGETS|EXAMPLES|TEST_.*)$/;
/** Kubernetes sets these in every pod beside a service that is called plugin-runner. */
const ofKubernetes = /^PLUGIN_RUNNER_(SERVICE_HOST|SERVICE_PORT.*|PORT|PORT_\d+_.*)$/;

/** Variables that were probably meant for a service but have the name of no option: each would go unnoticed. */
function findMisnamed(table: readonly Option[], env: Readonly<Record<string, string | undefined>>): string[] {
  const names = table.map(defaultVariable);
  return Object.keys(env)
    .filter((name) => name.startsWith("PLUGIN_RUNNER_") && !names.includes(name))
    .filter((name) => !otherVariables.test(name) && !ofKubernetes.test(name))
    .sort()
    .map((name) => `${name} is no variable of this service.${didYouMean(name, names)}`);
}

function readFlags(table: readonly Option[], args: readonly string[]) {
  const options = Object.fromEntries(
    table.map((option) => [option.name, { type: option.type === "boolean" ? "boolean" : "string" } as const]),
  );
  const { tokens } = parseArgs({
    args: [...args],
    options,
    strict: false,
    tokens: true,
    allowNegative: true,
    allowPositionals: true,
  });
  const found: FoundValue[] = [];
  const faults: string[] = [];
  const positionals: string[] = [];
  for (const token of tokens) {
    if (token.kind === "positional") positionals.push(token.value);
    if (token.kind !== "option") continue;
    const option = table.find((each) => each.name === token.name);
    const negated = token.rawName.startsWith("--no-") && token.value === undefined;
    const flag = `--${token.name}`;
    if (option === undefined) {
      const names = table.map((each) => `--${each.name}`);
      faults.push(`Unknown option ${token.rawName}.${didYouMean(token.rawName, names)}`);
    } else if (option.type === "boolean") {
      found.push({ name: option.name, texts: [token.value ?? String(!negated)], source: flag });
    } else if (token.value === undefined || (!token.inlineValue && /^-./.test(token.value))) {
      faults.push(`${flag} needs a value; one that starts with a dash is given as ${flag}=VALUE.`);
    } else {
      found.push({ name: option.name, texts: [token.value], source: flag });
    }
  }
  return { found: joinLists(table, found), faults, positionals };
}

/** A list's flag may be repeated: its texts are one value. */
function joinLists(table: readonly Option[], found: readonly FoundValue[]): FoundValue[] {
  const lists = new Map<string, FoundValue>();
  const isList = (name: string) => table.some((option) => option.name === name && option.type === "list");
  for (const value of found.filter(({ name }) => isList(name))) {
    lists.set(value.name, { ...value, texts: [...(lists.get(value.name)?.texts ?? []), ...value.texts] });
  }
  return [...found.filter(({ name }) => !isList(name)), ...lists.values()];
}

function readVariables(
  table: readonly Option[],
  env: Readonly<Record<string, string | undefined>>,
  variableOf: (option: Option) => string | undefined,
): FoundValue[] {
  return table.flatMap((option) => {
    const variable = variableOf(option);
    const text = variable === undefined ? undefined : env[variable];
    if (variable === undefined || text === undefined || text === "") return [];
    return [{ name: option.name, texts: option.type === "list" ? parseList(text) : [text], source: variable }];
  });
}

/** Takes the last value found for each option, checks it, and fills in the defaults. */
function settle<T extends readonly Option[]>(table: T, found: FoundValue[], faults: string[]): OptionValues<T> {
  const values: Record<string, unknown> = {};
  for (const option of table) {
    const value = found.findLast(({ name }) => name === option.name);
    try {
      values[camelCase(option.name)] = value === undefined ? defaultOf(option) : convert(option, value.texts);
    } catch (error) {
      if (!(error instanceof RangeError)) throw error;
      faults.push(
        `${value?.source ?? `--${option.name}`}: ${error.message}, not ${JSON.stringify(value?.texts.at(-1))}.`,
      );
    }
  }
  if (faults.length > 0 || !isComplete(table, values)) throw new UsageError(faults.join("\n"));
  return values;
}

/** Converted and checked by `settle`, the values have the types that the table says. */
function isComplete<T extends readonly Option[]>(table: T, values: object): values is OptionValues<T> {
  return table.every((option) => camelCase(option.name) in values);
}

function defaultOf(option: Option): unknown {
  if (option.type === "boolean") return option.default ?? false;
  if (option.type === "list") return option.default ?? [];
  return option.default === undefined ? undefined : convert(option, [String(option.default)]);
}

function convert(option: Option, texts: readonly string[]): unknown {
  const text = texts.at(-1) ?? "";
  switch (option.type) {
    case "string":
      if (option.choices?.includes(text) === false) {
        throw new RangeError(`expected one of ${option.choices.join(", ")}`);
      }
      return text;
    case "integer":
      return within(option, parseInteger(text));
    case "number":
      return within(option, parseNumber(text));
    case "boolean":
      return parseBoolean(text);
    case "duration":
      return withinDurations(option, parseDuration(text));
    case "bytes":
      return parseBytes(text);
    case "list":
      return texts;
  }
}

function within(option: { min?: number; max?: number }, value: number): number {
  if (option.min !== undefined && value < option.min) throw new RangeError(`expected at least ${option.min}`);
  if (option.max !== undefined && value > option.max) throw new RangeError(`expected at most ${option.max}`);
  return value;
}

function withinDurations({ min, max }: { min?: string; max?: string }, value: number): number {
  if (min !== undefined && value < parseDuration(min)) throw new RangeError(`expected at least ${min}`);
  if (max !== undefined && value > parseDuration(max)) throw new RangeError(`expected at most ${max}`);
  return value;
}

function camelCase(name: string): string {
  return name.replaceAll(/-(.)/g, (_, letter: string) => letter.toUpperCase());
}
