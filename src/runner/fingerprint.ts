import { hash } from "node:crypto";
import { isObject } from "../util/is-object.ts";

/** SHA-256 of a value's JSON with sorted names: equal content has equal fingerprints. */
export function fingerprint(value: unknown): string {
  return hash("sha256", JSON.stringify(ordered(value)));
}

/** The same with its names in order. A replacer of `JSON.stringify` would do, and makes it several times slower. */
function ordered(value: unknown): unknown {
  if (typeof value === "bigint") return String(value);
  // JSON would make null of it; a text may read the same.
  if (typeof value === "number" && !Number.isFinite(value)) return `\0${value}`;
  if (Array.isArray(value)) return value.map(ordered);
  if (!isObject(value)) return value;
  const names = Object.keys(value).sort();
  return Object.fromEntries(names.map((name) => [name, ordered(value[name])]));
}
