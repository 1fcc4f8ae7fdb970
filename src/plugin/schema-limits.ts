import type { JsonObject, JsonValue } from "@bufbuild/protobuf";
import { PluginRunnerError } from "../errors.ts";
import { isJsonObject, listLevels, maxMessageLevels, objectLevels, tooDeep } from "../util/json.ts";
import { fragmentPath } from "../util/json-pointer.ts";

const limits = { bytes: 256 * 1024, values: 10_000, patterns: 500, steps: 10_000 };

/** Keywords whose schemas apply to the same value as the schema that they stand in. */
const inPlace = ["$ref", "allOf", "anyOf", "oneOf", "not", "if", "then", "else", "dependentSchemas"];

/**
 * Refuses a schema that would cost too much before or after it is compiled: its size and depth, references to other
 * documents, references that lead back to themselves, and such that multiply.
 * @throws PLUGIN_INVALID
 */
export function refuseHostileSchema(schema: JsonObject, owner: string): void {
  const refuse = (problem: string): never => {
    throw new PluginRunnerError("PLUGIN_INVALID", `The params schema of ${owner} is refused: ${problem}.`, {
      metadata: { owner, problem },
    });
  };
  const schemas = survey(schema, refuse);
  if (JSON.stringify(schema).length > limits.bytes) refuse(`it is larger than ${limits.bytes / 1024} KiB`);
  const costs = new Map<JsonObject, number>();
  for (const each of schemas) stepsFor(each, schema, costs, refuse);
}

/** All objects in the schema, within limits. Objects that are no schemas do no harm here. */
function survey(schema: JsonObject, refuse: (problem: string) => never): JsonObject[] {
  const found: JsonObject[] = [];
  // It is shown to clients as well, so it nests no deeper than other values that they are sent.
  const open: [JsonValue, number][] = [[schema, maxMessageLevels]];
  let patterns = 0;
  for (let next = open.pop(); next !== undefined; next = open.pop()) {
    const [value, above] = next;
    if (typeof value !== "object" || value === null) continue;
    const levels = above - (Array.isArray(value) ? listLevels : objectLevels);
    if (levels < 0) refuse(`it ${tooDeep}`);
    if (isJsonObject(value)) {
      found.push(value);
      const { $ref, pattern, patternProperties } = value;
      if (typeof pattern === "string") patterns++;
      if (isJsonObject(patternProperties)) patterns += Object.keys(patternProperties).length;
      if (typeof $ref === "string" && !$ref.startsWith("#")) refuse(`$ref "${$ref.slice(0, 100)}" is not local`);
    }
    for (const child of Object.values(value)) open.push([child, levels]);
    if (patterns > limits.patterns) refuse(`it has more than ${limits.patterns} patterns`);
    if (open.length + found.length > limits.values) refuse(`it has more than ${limits.values} values`);
  }
  return found;
}

/** How many schemas are tried on one value. */
function stepsFor(
  schema: JsonObject,
  root: JsonObject,
  costs: Map<JsonObject, number>,
  refuse: (problem: string) => never,
): number {
  const known = costs.get(schema);
  if (known === Number.POSITIVE_INFINITY) return refuse("a $ref leads back to itself");
  if (known !== undefined) return known;
  costs.set(schema, Number.POSITIVE_INFINITY);
  let steps = 1;
  for (const keyword of inPlace) {
    for (const sub of subschemas(schema[keyword], keyword, root)) steps += stepsFor(sub, root, costs, refuse);
  }
  if (steps > limits.steps) refuse("its references multiply without bounds");
  costs.set(schema, steps);
  return steps;
}

/** The schemas that apply to the same value as the one that they stand in, those behind its `$ref` included. */
export function subschemasInPlace(schema: JsonObject, root: JsonObject): JsonObject[] {
  return inPlace.flatMap((keyword) => subschemas(schema[keyword], keyword, root));
}

function subschemas(value: JsonValue | undefined, keyword: string, root: JsonObject): JsonObject[] {
  if (keyword === "$ref") return typeof value === "string" ? [target(value, root)].filter(isJsonObject) : [];
  if (Array.isArray(value)) return value.filter(isJsonObject);
  if (!isJsonObject(value)) return [];
  return keyword === "dependentSchemas" ? Object.values(value).filter(isJsonObject) : [value];
}

/** An anchor has none here: ajv resolves it, and a loop over anchors ends in a RangeError. */
function target(reference: string, root: JsonObject): JsonValue | undefined {
  const path = fragmentPath(reference);
  if (!path) return undefined;
  let value: JsonValue | undefined = root;
  for (const step of path) {
    if (typeof value !== "object" || value === null) return undefined;
    value = Array.isArray(value) ? value[Number(step)] : Object.hasOwn(value, step) ? value[step] : undefined;
  }
  return value;
}
