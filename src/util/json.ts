import type { JsonObject, JsonValue } from "@bufbuild/protobuf";

export function isJsonObject(value: JsonValue | undefined): value is JsonObject {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** The same once more, of which nothing is shared. */
export function copyOf(object: JsonObject): JsonObject {
  const copy = { ...object };
  for (const name in copy) {
    const value = copy[name];
    if (typeof value === "object" && value !== null) copy[name] = copyOfContainer(value);
  }
  return copy;
}

/** Lists of numbers and texts, which may be long, are quick to copy. */
function copyOfContainer(value: JsonObject | JsonValue[]): JsonObject | JsonValue[] {
  if (!Array.isArray(value)) return copyOf(value);
  const copy = value.slice();
  for (const [index, item] of value.entries()) {
    if (typeof item === "object" && item !== null) copy[index] = copyOfContainer(item);
  }
  return copy;
}

/**
 * Decoders of Protobuf's messages refuse those that are nested deeper than 100. An object takes three levels (`Struct`, the
 * entry of its map, `Value`), a list two. The events of a job take four before their value starts, and some decoders count
 * the whole message as the first.
 */
export const maxMessageLevels = 95;
export const objectLevels = 3;
export const listLevels = 2;

/** What to say of a value that nests deeper. */
export const tooDeep = `is nested deeper than clients can read: ${Math.floor(maxMessageLevels / objectLevels)} objects or ${Math.floor(maxMessageLevels / listLevels)} lists in each other`;

/** What is wrong with a value that is to travel as `google.protobuf.Value`: where (JSON pointer), and what. */
export interface JsonFault {
  pointer: string;
  description: string;
}

/** The first reason why a value cannot be passed on safely; undefined when it can. */
export function findJsonFault(value: JsonValue): JsonFault | undefined {
  return valueFault(value, maxMessageLevels, Number.isFinite);
}

/** The same for a value in which NaN and infinities may stand as numbers. */
export function findFaultBesideNumbers(value: JsonValue): JsonFault | undefined {
  return valueFault(value, maxMessageLevels, () => true);
}

function valueFault(value: JsonValue, levels: number, accepts: AcceptsNumber): JsonFault | undefined {
  if (typeof value === "number") return accepts(value) ? undefined : fault(`is ${value}, which is not JSON`);
  if (typeof value !== "object" || value === null) return isOther(value) ? fault("is not JSON") : undefined;
  if (Array.isArray(value)) return listFault(value, levels - listLevels, accepts);
  return objectFault(value, levels - objectLevels, accepts);
}

type AcceptsNumber = (value: number) => boolean;

function listFault(list: readonly JsonValue[], levels: number, accepts: AcceptsNumber): JsonFault | undefined {
  if (levels < 0) return fault(tooDeep);
  for (let index = 0; index < list.length; index++) {
    const found = valueFault(list[index] ?? null, levels, accepts);
    if (found) return below(String(index), found);
  }
  return undefined;
}

function objectFault(object: JsonObject, levels: number, accepts: AcceptsNumber): JsonFault | undefined {
  if (levels < 0) return fault(tooDeep);
  for (const key in object) {
    if (key === "__proto__") return below(key, fault("is a name that is not allowed"));
    const found = valueFault(object[key] ?? null, levels, accepts);
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
