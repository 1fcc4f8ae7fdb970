import type { JsonObject, JsonValue } from "@bufbuild/protobuf";
import { isJsonObject } from "../util/json.ts";
import { mapSchema } from "./map-schema.ts";

/**
 * The same schema in the words of 2020-12. Forms of drafts 3 to 7 that mean something else there, or nothing, are
 * unmistakable: a list as `items`, `true` as `exclusiveMinimum` or `required`, `id`, `divisibleBy`, the type `any`.
 */
export function toNewerSchema(schema: JsonObject): JsonObject {
  let tuples = false;
  const newer = mapSchema(schema, (old) => {
    const made = { ...old };
    tuples = renameTuple(made) || tuples;
    nameLimit(made, "minimum", "exclusiveMinimum");
    nameLimit(made, "maximum", "exclusiveMaximum");
    listRequired(made);
    divideDependencies(made);
    renameOthers(made);
    return made;
  });
  return tuples ? mapSchema(newer, withNewReferences) : newer;
}

function renameTuple(schema: JsonObject): boolean {
  const { items, additionalItems } = schema;
  if (!Array.isArray(items)) return false;
  delete schema.items;
  delete schema.additionalItems;
  if (items.length > 0) schema.prefixItems = items;
  if (additionalItems !== undefined) schema.items = additionalItems;
  return true;
}

function withNewReferences(schema: JsonObject): JsonObject {
  const { $ref } = schema;
  if (typeof $ref !== "string") return schema;
  return {
    ...schema,
    $ref: $ref.replace(/\/items\/(?=\d)/g, "/prefixItems/").replace(/\/additionalItems\b/g, "/items"),
  };
}

function nameLimit(schema: JsonObject, limit: string, exclusive: string): void {
  const value = schema[exclusive];
  if (typeof value !== "boolean") return;
  delete schema[exclusive];
  const bound = schema[limit];
  if (!value || bound === undefined) return;
  schema[exclusive] = bound;
  delete schema[limit];
}

/** What properties say of themselves, as the list that their object has. */
function listRequired(schema: JsonObject): void {
  const properties = isJsonObject(schema.properties) ? schema.properties : {};
  const saying = Object.entries(properties).filter(([, child]) => isFlagged(child));
  if (saying.length === 0) return;
  const before = Array.isArray(schema.required) ? schema.required : [];
  const needed = saying.filter(([, child]) => isJsonObject(child) && child.required === true).map(([name]) => name);
  const required = [...new Set([...before, ...needed])];
  if (required.length > 0) schema.required = required;
  schema.properties = Object.fromEntries(
    Object.entries(properties).map(([name, child]) => [name, isFlagged(child) ? withoutFlag(child) : child]),
  );
}

function isFlagged(schema: JsonValue): schema is JsonObject {
  return isJsonObject(schema) && typeof schema.required === "boolean";
}

function withoutFlag({ required: _, ...others }: JsonObject): JsonObject {
  return others;
}

function divideDependencies(schema: JsonObject): void {
  const { dependencies } = schema;
  if (!isJsonObject(dependencies)) return;
  delete schema.dependencies;
  const entries = Object.entries(dependencies).map(([name, needs]): [string, JsonValue] => [
    name,
    typeof needs === "string" ? [needs] : needs,
  ]);
  const lists = entries.filter(([, needs]) => Array.isArray(needs));
  const schemas = entries.filter(([, needs]) => !Array.isArray(needs));
  if (lists.length > 0) schema.dependentRequired ??= Object.fromEntries(lists);
  if (schemas.length > 0) schema.dependentSchemas ??= Object.fromEntries(schemas);
}

function renameOthers(schema: JsonObject): void {
  const { type, divisibleBy, id, nullable } = schema;
  if (type === "any" || (Array.isArray(type) && type.includes("any"))) delete schema.type;
  if (typeof divisibleBy === "number") schema.multipleOf ??= divisibleBy;
  if (typeof id === "string") delete schema.id;
  // OpenAPI's word, for which Ajv wants a type beside it: without one it says nothing.
  if (schema.type === undefined || typeof nullable !== "boolean") delete schema.nullable;
}
