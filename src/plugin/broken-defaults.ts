import type { JsonObject, JsonValue } from "@bufbuild/protobuf";
import type { Ajv2020 } from "ajv/dist/2020.js";
import type { Violation } from "../errors.ts";
import { isJsonObject } from "../util/json.ts";
import { jsonPointer } from "../util/json-pointer.ts";
import { mapSchema } from "./map-schema.ts";
import { toViolations } from "./violations.ts";

/** Something in a schema that its author should know of. */
export interface SchemaProblem {
  /** Where it stands in the schema. */
  path: readonly string[];
  message: string;
}

/** A default that is broken by one within it is looked at again, so often. */
const maxRounds = 5;

/** Keywords that refuse no value. */
const silent: ReadonlySet<string> = new Set([
  ...["default", "title", "description", "examples", "deprecated", "readOnly", "writeOnly", "$comment"],
]);

/**
 * The schema without defaults that break it, and what these are: a caller who leaves a param out could not mend them.
 * @param open an Ajv that fills in defaults and has the schema under the name `params`
 */
export function withoutBrokenDefaults(schema: JsonObject, open: (schema: JsonObject) => Ajv2020) {
  const problems: SchemaProblem[] = [];
  let rest = schema;
  for (let round = 0; round < maxRounds; round++) {
    const broken = findBroken(rest, open);
    if (broken.length === 0) break;
    problems.push(...broken);
    const paths = new Set(broken.map(({ path }) => jsonPointer(path.slice(0, -1))));
    rest = mapSchema(rest, (each, path) => (paths.has(jsonPointer(path)) ? withoutDefault(each) : each));
  }
  return { schema: rest, problems };
}

/** The innermost ones. */
function findBroken(schema: JsonObject, open: (schema: JsonObject) => Ajv2020): SchemaProblem[] {
  const suspects: { path: readonly string[]; value: JsonValue }[] = [];
  mapSchema(schema, (each, path) => {
    if (path.at(-2) === "properties" && each.default !== undefined && !fits(each.default, each)) {
      suspects.push({ path, value: each.default });
    }
    return each;
  });
  if (suspects.length === 0) return [];
  // All at once: each schema that is compiled costs a function of its own.
  const all = suspects.map(({ path }, index) => [index, { $ref: `params#${fragment(path)}` }]);
  const validate = open(schema).compile({ properties: Object.fromEntries(all) });
  if (validate(Object.fromEntries(suspects.map(({ value }, index) => [index, structuredClone(value)])))) return [];
  const faults = toViolations(validate.errors ?? [], "");
  const broken = suspects.flatMap(({ path }, index) => {
    const fault = faults.find(({ field }) => field === `/${index}` || field.startsWith(`/${index}/`));
    return fault ? [{ path: [...path, "default"], message: said(path, fault, `/${index}`) }] : [];
  });
  return broken.filter(({ path }) => !broken.some((other) => isWithin(other.path, path)));
}

function said(path: readonly string[], { field, description }: Violation, holder: string): string {
  const inner = field.slice(holder.length);
  const where = inner === "" ? "" : `, at ${inner},`;
  return `${jsonPointer([...path, "default"])}${where} ${description}, and is not filled in`;
}

/** A JSON pointer as a reference has it. */
function fragment(path: readonly string[]): string {
  return encodeURI(jsonPointer(path)).replaceAll("#", "%23");
}

function isWithin(inner: readonly string[], outer: readonly string[]): boolean {
  const holder = outer.slice(0, -1);
  return inner.length > outer.length && holder.every((step, index) => inner[index] === step);
}

/** Whether it is plain that a value fits: most defaults are, and compiling a schema for each would take long. */
function fits(value: JsonValue, schema: JsonObject): boolean {
  return Object.entries(schema).every(([keyword, limit]) => {
    if (silent.has(keyword)) return true;
    if (keyword === "type") return typeof limit === "string" && isOfType(value, limit);
    if (keyword === "enum") return Array.isArray(limit) && limit.some((each) => each === value);
    if (keyword === "const") return limit === value;
    if (typeof value !== "number" || typeof limit !== "number") return false;
    if (keyword === "minimum") return value >= limit;
    return keyword === "maximum" && value <= limit;
  });
}

function isOfType(value: JsonValue, type: string): boolean {
  switch (type) {
    case "integer":
      return Number.isInteger(value);
    case "array":
      return Array.isArray(value) && value.length === 0;
    case "object":
      return isJsonObject(value) && Object.keys(value).length === 0;
    case "null":
      return value === null;
    default:
      return typeof value === type;
  }
}

function withoutDefault({ default: _, ...others }: JsonObject): JsonObject {
  return others;
}
