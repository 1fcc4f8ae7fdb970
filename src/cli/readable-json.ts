import type { JsonValue } from "@bufbuild/protobuf";
import { isJsonObject } from "../util/json.ts";
import { toPlainJson } from "../util/plain-json.ts";

/** A value as JSON for people: indented, and NaN and the infinities under their own names. */
export function readableJson(value: JsonValue, indent = ""): string {
  const inner = `${indent}  `;
  if (Array.isArray(value))
    return block(
      "[",
      value.map((item) => inner + readableJson(item, inner)),
      `${indent}]`,
    );
  if (!isJsonObject(value)) return typeof value === "number" ? numberText(value) : JSON.stringify(value);
  const members = Object.entries(value).map(
    ([name, item]) => `${inner}${JSON.stringify(name)}: ${readableJson(item, inner)}`,
  );
  return block("{", members, `${indent}}`);
}

/** The same in one line. */
export function readableLine(value: JsonValue): string {
  if (Array.isArray(value)) return `[${value.map(readableLine).join(",")}]`;
  if (!isJsonObject(value)) return readableJson(value);
  return `{${Object.entries(value)
    .map(([name, item]) => `${JSON.stringify(name)}:${readableLine(item)}`)
    .join(",")}}`;
}

/** A value as a part of a JSON document for programs: such numbers are texts, which `nonFinite` names by their pointers. */
export function carriedJson<Name extends string>(name: Name, value: JsonValue | undefined) {
  if (value === undefined) return {};
  const { value: carried, nonFinite } = toPlainJson(value);
  return { [name]: carried, ...(nonFinite.length > 0 && { nonFinite }) };
}

function block(open: string, lines: readonly string[], close: string): string {
  return lines.length === 0 ? open + close.trimStart() : `${open}\n${lines.join(",\n")}\n${close}`;
}

function numberText(value: number): string {
  return Object.is(value, -0) ? "-0.0" : String(value);
}
