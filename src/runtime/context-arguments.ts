import { fileURLToPath } from "node:url";
import { isObject } from "../util/is-object.ts";
import { wellFormed } from "../util/shown-text.ts";

/**
 * What plain JavaScript may give to the members of a context, checked alike in every mode. `what` is how messages call an
 * argument: "ctx.setProgress: step".
 */

/** A text. Numbers and the like are made text, as they are in Python. */
export function textArgument(what: string, value: unknown): string {
  if (typeof value === "string") return wellFormed(value);
  if (value === undefined || value === null) return "";
  if (["number", "bigint", "boolean"].includes(typeof value)) return String(value);
  throw new TypeError(`${what} must be a text, not ${kindOf(value)}.`);
}

export function numberArgument(what: string, value: unknown): number {
  if (typeof value === "number") return value;
  if (typeof value === "bigint" || value instanceof Number) return Number(value);
  throw new TypeError(`${what} must be a number, not ${kindOf(value)}.`);
}

/** An object with values by name; `example` shows what it may look like. */
export function objectArgument(what: string, value: unknown, example: string): object {
  if (isObject(value) || value instanceof Map) return value;
  throw new TypeError(`${what} must be an object such as ${example}, not ${kindOf(value)}.`);
}

/** The path of a file: a text, or a `file:` URL. */
export function pathArgument(what: string, value: unknown): string {
  if (value instanceof URL && value.protocol === "file:") return fileURLToPath(value);
  if (typeof value === "string" && value !== "" && !value.includes("\0")) return value;
  throw new TypeError(`${what} must be the path of a file or a file: URL, not ${value === "" ? '""' : kindOf(value)}.`);
}

function kindOf(value: unknown): string {
  if (value === null) return "null";
  if (Array.isArray(value)) return "an array";
  if (typeof value === "object") return `an object of ${value.constructor?.name ?? "no class"}`;
  return typeof value === "string" ? `the text ${JSON.stringify(value.slice(0, 50))}` : typeof value;
}

/** The options of `ctx.artifact`; what is left out stays out. */
export function artifactArguments(given: object): { name?: string; mediaType?: string; metadata?: object } {
  const { name, mediaType, metadata }: Record<string, unknown> = { ...given };
  return {
    ...(name !== undefined && { name: textArgument("ctx.artifact: name", name) }),
    ...(mediaType !== undefined && { mediaType: textArgument("ctx.artifact: mediaType", mediaType) }),
    ...(metadata !== undefined && { metadata: objectArgument("ctx.artifact: metadata", metadata, "{ epoch: 3 }") }),
  };
}
