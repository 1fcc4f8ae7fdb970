import type { JsonObject, JsonValue } from "@bufbuild/protobuf";

export function isJsonObject(value: JsonValue | undefined): value is JsonObject {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** Decoders of `google.protobuf.Value` refuse messages nested deeper than 100, and a level of JSON takes two. */
export const maxJsonDepth = 45;

/** What is wrong with a value that is to travel as `google.protobuf.Value`: where (JSON pointer), and what. */
export interface JsonFault {
  pointer: string;
  description: string;
}

/** The first reason why a value cannot be passed on safely; undefined when it can. */
export function findJsonFault(value: JsonValue, depth = 0): JsonFault | undefined {
  if (typeof value === "number") return Number.isFinite(value) ? undefined : fault(`is ${value}, which is not JSON`);
  if (typeof value !== "object" || value === null) return isOther(value) ? fault("is not JSON") : undefined;
  if (depth >= maxJsonDepth) return fault(`is nested deeper than ${maxJsonDepth} levels`);
  if (Array.isArray(value)) {
    for (let index = 0; index < value.length; index++) {
      const found = findJsonFault(value[index] ?? null, depth + 1);
      if (found) return below(String(index), found);
    }
    return undefined;
  }
  for (const key in value) {
    if (key === "__proto__") return below(key, { pointer: "", description: "is a name that is not allowed" });
    const found = findJsonFault(value[key] ?? null, depth + 1);
    if (found) return below(key, found);
  }
  return undefined;
}

/** What types exclude, but callers without types may give. */
function isOther(value: unknown): boolean {
  return typeof value === "bigint" || typeof value === "function" || typeof value === "symbol";
}

/** One part of a JSON pointer (RFC 6901). */
export function escapePointer(part: string): string {
  return part.replaceAll("~", "~0").replaceAll("/", "~1");
}

function fault(description: string): JsonFault {
  return { pointer: "", description };
}

function below(part: string, found: JsonFault): JsonFault {
  return { ...found, pointer: `/${escapePointer(part)}${found.pointer}` };
}
