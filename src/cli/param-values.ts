import { parse } from "yaml";
import { messageOf } from "../util/message-of.ts";
import { UsageError } from "./usage-error.ts";

/**
 * The numbers that JSON has no literal for, by what stands for them while it is read: numbers that would be refused, so
 * that nothing else is taken for them. A text of that name is given as `'"NaN"'`.
 */
const words: Readonly<Record<string, [literal: string, value: number]>> = {
  NaN: ["1e400000001", Number.NaN],
  Infinity: ["1e400000002", Number.POSITIVE_INFINITY],
  "-Infinity": ["-1e400000002", Number.NEGATIVE_INFINITY],
};
const numbers = new Map(Object.values(words));
const textOrWord = /"(?:[^"\\]|\\.)*"|(?<![\w.+-])(?:NaN|-?Infinity)(?![\w.])/g;

/** The value of one `--param`: JSON where it parses as JSON, else the text. Integers that a number cannot hold are bigints. */
export function readParam(flag: string, text: string): unknown {
  try {
    return exactJson(text);
  } catch (error) {
    if (error instanceof RangeError) throw new UsageError(`${flag}: ${error.message}`);
    return text;
  }
}

/** A JSON object, or with `yaml` a YAML mapping, whose integers are exact in the same way. */
export function readParamsObject(flag: string, text: string, yaml: boolean): Record<string, unknown> {
  const value = parsed(flag, text, yaml);
  if (typeof value === "object" && value !== null && !Array.isArray(value)) return { ...value };
  throw new UsageError(`${flag}: expected a ${yaml ? "YAML mapping" : "JSON object"}.`);
}

function parsed(flag: string, text: string, yaml: boolean): unknown {
  try {
    return yaml ? parse(text, { intAsBigInt: true }) : exactJson(text);
  } catch (cause) {
    throw new UsageError(`${flag}: ${messageOf(cause)}`, { cause });
  }
}

/** JSON, or what this program and Python print where JSON has no literal: NaN, Infinity and -Infinity, wherever a number may be. */
function exactJson(text: string): unknown {
  try {
    return revived(text.replace(textOrWord, (part) => words[part]?.[0] ?? part));
  } catch (error) {
    if (error instanceof SyntaxError) JSON.parse(text); // its message shows the text as it was given
    throw error;
  }
}

/** A reviver sees the text of each number, which TypeScript does not know yet: https://github.com/tc39/proposal-json-parse-with-source. */
function revived(text: string): unknown {
  const revive = (_: string, value: unknown, { source }: { source?: string }) =>
    typeof value === "number" ? exact(value, source ?? "") : value;
  return Reflect.apply(JSON.parse, JSON, [text, revive]);
}

/** JSON's numbers have as many digits as one likes, and JavaScript's round them. */
function exact(value: number, source: string): number | bigint {
  if (Number.isFinite(value)) {
    return /^-?\d+$/.test(source) && !Number.isSafeInteger(value) ? BigInt(source) : value;
  }
  const named = numbers.get(source);
  if (named === undefined) throw new RangeError(`${source} is larger than any number can be.`);
  return named;
}
