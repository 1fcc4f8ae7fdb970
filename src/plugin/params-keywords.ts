import type { JsonObject, JsonValue } from "@bufbuild/protobuf";
import type { Ajv2020, AnySchemaObject, SchemaObjCxt } from "ajv/dist/2020.js";
import { isJsonObject } from "../util/json.ts";
import { mapSchema } from "./map-schema.ts";

const ownDefaults = "plugin-runner:defaults";

/** How far a quotient may be from a whole number, of its own size: some roundings of doubles. */
const tolerance = 1e-12;

/** Replaces and adds keywords where Ajv's own would refuse what is right, or leave out what is missing. */
export function addParamsKeywords(ajv: Ajv2020): void {
  ajv.removeKeyword("multipleOf");
  ajv.addKeyword({
    keyword: "multipleOf",
    type: "number",
    schemaType: "number",
    validate: (factor: number, value: number) => isMultiple(value, factor),
    error: { message: ({ schema }) => `must be multiple of ${JSON.stringify(schema)}` },
  });
  ajv.addKeyword({
    keyword: ownDefaults,
    type: "object",
    schemaType: "object",
    modifying: true,
    errors: false,
    before: "maxProperties", // the first that looks at an object, `required` included
    compile: (defaults: JsonObject, _: AnySchemaObject, { compositeRule }: SchemaObjCxt) =>
      compositeRule ? () => true : (value: JsonObject) => fill(value, defaults),
  });
}

/** 0.07 is a multiple of 0.01, though the doubles that stand for them are not. */
export function isMultiple(value: number, factor: number): boolean {
  const rest = Math.abs(value % factor);
  if (rest === 0 || (Number.isInteger(value) && Number.isInteger(1 / factor))) return true;
  const slack = tolerance * Math.abs(value);
  return slack < factor / 4 && Math.min(rest, factor - rest) <= slack;
}

/**
 * Moves defaults of properties that every object inherits, such as `constructor`, to a keyword of our own: for Ajv they
 * are there already.
 */
export function withOwnDefaults(schema: JsonObject): JsonObject {
  return mapSchema(schema, (each) => {
    const properties = isJsonObject(each.properties) ? each.properties : {};
    const inherited = Object.entries(properties).filter(([name, child]) => name in {} && hasDefault(child));
    if (inherited.length === 0) return each;
    const defaults = Object.fromEntries(inherited.map(([name, child]) => [name, defaultOf(child)]));
    const others = Object.entries(properties).map(([name, child]) => [
      name,
      Object.hasOwn(defaults, name) ? withoutDefault(child) : child,
    ]);
    return { ...each, properties: Object.fromEntries(others), [ownDefaults]: defaults };
  });
}

function defaultOf(schema: JsonValue): JsonValue {
  return isJsonObject(schema) ? (schema.default ?? null) : null;
}

function fill(value: JsonObject, defaults: JsonObject): boolean {
  for (const [name, item] of Object.entries(defaults)) {
    if (!Object.hasOwn(value, name)) value[name] = structuredClone(item);
  }
  return true;
}

function hasDefault(schema: JsonValue): boolean {
  return isJsonObject(schema) && Object.hasOwn(schema, "default");
}

function withoutDefault(schema: JsonValue): JsonValue {
  if (!isJsonObject(schema)) return schema;
  const { default: _, ...others } = schema;
  return others;
}
