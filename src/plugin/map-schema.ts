import type { JsonObject, JsonValue } from "@bufbuild/protobuf";
import { isJsonObject } from "../util/json.ts";

/** Under these a schema has values, and not schemas. */
export const dataKeywords: ReadonlySet<string> = new Set(["default", "enum", "const", "examples", "required"]);

/** Under these it has schemas by name. */
export const namedSchemas: ReadonlySet<string> = new Set([
  ...["properties", "patternProperties", "dependentSchemas", "dependencies", "$defs", "definitions"],
]);

/**
 * A copy of a schema in which each schema became what `change` makes of it, the inner ones first.
 * @param path where a schema stands in the whole
 */
export function mapSchema(
  schema: JsonObject,
  change: (schema: JsonObject, path: readonly string[]) => JsonObject,
  path: readonly string[] = [],
): JsonObject {
  const below = (value: JsonValue, at: readonly string[]): JsonValue => {
    if (Array.isArray(value)) return value.map((item, index) => below(item, [...at, String(index)]));
    return isJsonObject(value) ? mapSchema(value, change, at) : value;
  };
  const inner = Object.entries(schema).map(([key, value]): [string, JsonValue] => {
    if (dataKeywords.has(key)) return [key, value];
    if (!namedSchemas.has(key) || !isJsonObject(value)) return [key, below(value, [...path, key])];
    const named = Object.entries(value).map(([name, child]) => [name, below(child, [...path, key, name])]);
    return [key, Object.fromEntries(named)];
  });
  return change(Object.fromEntries(inner), path);
}
