import { hash } from "node:crypto";

/** SHA-256 of a value's JSON with sorted names: equal content has equal fingerprints. */
export function fingerprint(value: unknown): string {
  return hash("sha256", JSON.stringify(value, sorted));
}

function sorted(_name: string, value: unknown): unknown {
  if (typeof value === "bigint") return String(value);
  if (typeof value !== "object" || value === null || Array.isArray(value)) return value;
  return Object.fromEntries(Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1)));
}
