import { isObject } from "../util/is-object.ts";
import { jsonPointer } from "../util/json-pointer.ts";
import { dataKeywords, namedSchemas } from "./map-schema.ts";
import type { YamlText } from "./safe-yaml.ts";

/**
 * What to say of a schema with an integer beyond ±(2^53−1) in a default, `enum` or `const`: no action would be given the one that is
 * written. Empty when there is none. `path` leads to the schema in the file.
 */
export function roundedInteger(schema: unknown, yaml: YamlText, path: readonly string[]): string {
  const found = inSchema(schema, [...path], (at) => /^[-+]?\d+$/.test(yaml.written(at) ?? ""));
  if (!found) return "";
  return `has an integer beyond ±(2^53−1) at ${jsonPointer(found)}, which would be rounded: write it as text, or let the code have it.`;
}

type IsInteger = (path: readonly string[]) => boolean;

function inSchema(schema: unknown, path: string[], isInteger: IsInteger): string[] | undefined {
  for (const [key, value] of members(schema)) {
    const at = [...path, key];
    const within = dataKeywords.has(key) ? inData : namedSchemas.has(key) ? inNamed : inSchema;
    const found = within(value, at, isInteger);
    if (found) return found;
  }
  return undefined;
}

function inNamed(schemas: unknown, path: string[], isInteger: IsInteger): string[] | undefined {
  for (const [name, schema] of members(schemas)) {
    const found = inSchema(schema, [...path, name], isInteger);
    if (found) return found;
  }
  return undefined;
}

function inData(value: unknown, path: string[], isInteger: IsInteger): string[] | undefined {
  if (typeof value === "number") {
    const isLarge = Number.isInteger(value) && !Number.isSafeInteger(value);
    return isLarge && isInteger(path) ? path : undefined;
  }
  for (const [key, item] of members(value)) {
    const found = inData(item, [...path, key], isInteger);
    if (found) return found;
  }
  return undefined;
}

function members(value: unknown): [string, unknown][] {
  return isObject(value) || Array.isArray(value) ? Object.entries(value) : [];
}
