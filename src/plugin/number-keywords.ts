import type { JsonObject, JsonValue } from "@bufbuild/protobuf";
import { _, type Ajv2020, type KeywordCxt } from "ajv/dist/2020.js";
import { isJsonObject } from "../util/json.ts";
import { isPlainJson } from "../util/plain-json.ts";
import { dataKeywords, mapSchema } from "./map-schema.ts";

/** An Infinity has no fraction, so that Ajv takes it for an integer. */
export const finiteKeyword = "plugin-runner:finite";
/** `enum` with numbers that are equal to nothing, or that no source code says as JSON does. */
export const enumKeyword = "plugin-runner:enum";

/** Stands for a number in a default, which Ajv writes into its code as JSON. */
const marker = "plugin-runner:number:";

/** Teaches Ajv the keywords that `withNumberKeywords` writes. */
export function addNumberKeywords(ajv: Ajv2020): void {
  ajv.addKeyword({
    keyword: finiteKeyword,
    type: "number",
    schemaType: "boolean",
    code: (context: KeywordCxt) => context.fail(_`${context.data} === Infinity || ${context.data} === -Infinity`),
  });
  ajv.addKeyword({
    keyword: enumKeyword,
    schemaType: "array",
    compile: (values: unknown[]) => (data: unknown) => values.some((value) => same(value, data)),
  });
}

/** Ajv's option `code.process`: the numbers that defaults had. */
export function writeNumbers(code: string): string {
  return code.includes(marker) ? code.replace(/"plugin-runner:number:(NaN|-?Infinity)"/g, "$1") : code;
}

/** The same schema for an Ajv without `strictNumbers`: NaN and infinities are numbers, and no integers. */
export function withNumberKeywords(schema: JsonObject): JsonObject {
  return mapSchema(schema, (each) => Object.fromEntries(Object.entries(each).flatMap(rewritten)));
}

function rewritten([key, value]: [string, JsonValue]): [string, JsonValue][] {
  if (key === "type" && forInteger(value)) {
    return [
      [key, value],
      [finiteKeyword, true],
    ];
  }
  return dataKeywords.has(key) ? rewrittenData(key, value) : [[key, value]];
}

function rewrittenData(key: string, value: JsonValue): [string, JsonValue][] {
  if (isPlainJson(value, Number.POSITIVE_INFINITY)) return [[key, value]];
  if (key === "default") return [[key, withMarkers(value)]];
  if (key === "const") return [[enumKeyword, [value]]];
  return key === "enum" ? [[enumKeyword, value]] : [];
}

function withMarkers(value: JsonValue): JsonValue {
  if (typeof value === "number") return Number.isFinite(value) ? value : `${marker}${value}`;
  if (Array.isArray(value)) return value.map(withMarkers);
  if (!isJsonObject(value)) return value;
  return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, withMarkers(item)]));
}

function forInteger(type: JsonValue): boolean {
  return Array.isArray(type) ? type.includes("integer") && !type.includes("number") : type === "integer";
}

function same(a: unknown, b: unknown): boolean {
  if (a === b || Number.isNaN(a)) return a === b || Number.isNaN(b);
  if (typeof a !== "object" || typeof b !== "object" || a === null || b === null) return false;
  const keys = Object.keys(a);
  if (Array.isArray(a) !== Array.isArray(b) || keys.length !== Object.keys(b).length) return false;
  return keys.every((key) => Object.hasOwn(b, key) && same(Reflect.get(a, key), Reflect.get(b, key)));
}
