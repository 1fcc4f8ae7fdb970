import { readFileSync } from "node:fs";
import type { JsonValue } from "@bufbuild/protobuf";
import { isObject } from "../../src/util/is-object.ts";

/** A value that comes back as it was given. */
export interface EchoedRow {
  name: string;
  value: JsonValue;
  /** What its type is called where the action runs. */
  python: string;
  javascript: string;
}

/** A value that an action returns, as an expression of each language that has such a one, and what becomes of it. */
export interface ResultRow {
  name: string;
  python?: string;
  javascript?: string;
  json: JsonValue;
  non_finite?: string[];
  refused?: { field: string; type?: string; fields?: string[] };
}

interface Table {
  about: string;
  echoed: EchoedRow[];
  refused: { name: string; value: JsonValue; field?: string; reason: string }[];
  results: ResultRow[];
}

/** What values become on the way to an action and back. */
export const valuesTable: Table = JSON.parse(
  readFileSync(new URL("../../contract/values.json", import.meta.url), "utf8"),
);

/** The value that a row means: numbers and texts that JSON cannot say are written as objects there. */
export function meant(value: JsonValue): JsonValue {
  if (Array.isArray(value)) return value.map(meant);
  if (!isObject(value)) return value;
  const { $number: number, $utf16: units, $nest: kind, levels } = value;
  if (typeof number === "string") return Number(number);
  if (Array.isArray(units)) return String.fromCharCode(...units.map((unit) => Number.parseInt(String(unit), 16)));
  if (typeof kind === "string") return nested(kind, Number(levels));
  return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, meant(item ?? null)]));
}

function nested(kind: string, levels: number): JsonValue {
  let value: JsonValue = 1;
  for (let level = 0; level < levels; level++) value = kind === "object" ? { a: value } : [value];
  return value;
}
