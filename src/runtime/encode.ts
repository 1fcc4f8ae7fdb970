import type { JsonObject, JsonValue } from "@bufbuild/protobuf";
import { PluginRunnerError } from "../errors.ts";

/** Deeper values are refused before they exhaust the stack of this process or of a reader. */
const maxDepth = 500;

/**
 * Turns what an action returned into JSON, as docs/protocol.md lists it. A value that is plain JSON is returned as it is,
 * without a copy. Throws RESULT_INVALID with a JSON pointer (`field`) and a word for what stands there (`type`).
 */
export function encode(value: unknown): JsonValue {
  return isJson(value, 0) ? value : encodeValue(value, undefined, "", refuse);
}

/** The same for metrics and log fields, where nothing is refused: what JSON cannot say becomes its `String()`. */
export function encodeFields(fields: object): JsonObject {
  const keys = Object.keys(fields).filter((key) => key !== "__proto__");
  return Object.fromEntries(keys.map((key) => [key, encodeField(fields, key)]));
}

function encodeField(fields: object, key: string): JsonValue {
  try {
    return encodeValue(Reflect.get(fields, key), undefined, "", stringify);
  } catch {
    return "[unreadable]"; // a getter, a toJSON or a toString of the plugin that throws
  }
}

/** Whether a value is plain JSON. A cycle ends at the depth limit, and `encodeValue` then says what is wrong. */
function isJson(value: unknown, depth: number): value is JsonValue {
  if (typeof value === "string" || typeof value === "boolean" || value === null) return true;
  if (typeof value === "number") return Number.isFinite(value);
  if (typeof value !== "object" || depth > maxDepth) return false;
  return Array.isArray(value) ? isJsonArray(value, depth) : isJsonObject(value, depth);
}

function isJsonArray(array: readonly unknown[], depth: number): boolean {
  for (let index = 0; index < array.length; index++) if (!isJson(array[index], depth + 1)) return false;
  return true;
}

function isJsonObject(object: object, depth: number): boolean {
  if (!isPlain(object)) return false;
  for (const key in object) if (key === "__proto__" || !isJson(object[key], depth + 1)) return false;
  return true;
}

/** A container that is being encoded, and where it stands: the way back to the root is the JSON pointer. */
interface Frame {
  parent: Frame | undefined;
  key: string | number;
  value: object;
  depth: number;
}

type OnFault = (parent: Frame | undefined, key: string | number, type: string, value: unknown) => JsonValue;

function encodeValue(value: unknown, parent: Frame | undefined, key: string | number, fault: OnFault): JsonValue {
  switch (typeof value) {
    case "string":
    case "boolean":
      return value;
    case "number":
      return Number.isFinite(value) ? value : fault(parent, key, String(value), value);
    case "undefined":
      return null;
    case "object":
      return value === null ? null : encodeObject(value, parent, key, fault);
    case "bigint":
      if (Number.isSafeInteger(Number(value))) return Number(value);
      return fault(parent, key, "integer beyond 2^53", value);
    default:
      return fault(parent, key, typeof value, value);
  }
}

function encodeObject(value: object, parent: Frame | undefined, key: string | number, fault: OnFault): JsonValue {
  const depth = parent === undefined ? 0 : parent.depth + 1;
  if (depth > maxDepth) return fault(parent, key, `nesting beyond ${maxDepth} levels`, value);
  for (let above = parent; above !== undefined; above = above.parent) {
    if (above.value === value) return fault(parent, key, "cycle", value);
  }
  const frame: Frame = { parent, key, value, depth };
  if (Array.isArray(value)) return encodeList(value, frame, fault);
  if (isPlain(value) && !hasToJson(value)) return encodeEntries(Object.entries(value), frame, fault);
  return encodeInstance(value, frame, fault);
}

function encodeList(items: Iterable<unknown>, frame: Frame, fault: OnFault): JsonValue {
  return Array.from(items, (item, index) => encodeValue(item, frame, index, fault));
}

function encodeEntries(entries: Iterable<[string, unknown]>, frame: Frame, fault: OnFault): JsonValue {
  const object: JsonObject = {};
  for (const [key, item] of entries) {
    if (key === "__proto__") return fault(frame, key, "forbidden key", item);
    object[key] = encodeValue(item, frame, key, fault);
  }
  return object;
}

function encodeInstance(value: object, frame: Frame, fault: OnFault): JsonValue {
  const { parent, key } = frame;
  if (value instanceof Date && Number.isNaN(value.getTime())) return fault(parent, key, "invalid Date", value);
  if (value instanceof Set) return encodeList(value, frame, fault);
  if (value instanceof Map) return encodeMap(value, frame, fault);
  if (ArrayBuffer.isView(value) || value instanceof ArrayBuffer) return encodeBinary(value, frame, fault);
  if (hasToJson(value)) return encodeValue(value.toJSON(), frame, "", fault);
  const tag = Object.prototype.toString.call(value).slice("[object ".length, -1);
  return tag === "Object" ? encodeEntries(Object.entries(value), frame, fault) : fault(parent, key, tag, value);
}

function encodeMap(map: ReadonlyMap<unknown, unknown>, frame: Frame, fault: OnFault): JsonValue {
  const entries: [string, unknown][] = [];
  for (const [key, item] of map) {
    if (typeof key !== "string" && !Number.isSafeInteger(key)) {
      return fault(frame.parent, frame.key, `Map with a key of type ${typeof key}`, map);
    }
    entries.push([String(key), item]);
  }
  return encodeEntries(entries, frame, fault);
}

/** Arrays of numbers are lists, as NumPy's are in Python; bytes have no place in JSON. */
function encodeBinary(value: ArrayBufferView | ArrayBuffer, frame: Frame, fault: OnFault): JsonValue {
  if (isNumbers(value)) return encodeList(value, frame, fault);
  return fault(frame.parent, frame.key, value.constructor.name, value);
}

function isNumbers(value: ArrayBufferView | ArrayBuffer): value is ArrayBufferView & Iterable<number | bigint> {
  return Symbol.iterator in value && !(value instanceof Uint8Array);
}

function refuse(parent: Frame | undefined, key: string | number, type: string): never {
  const field = pointer(parent, key);
  const where = field === "" ? "" : ` at ${field}`;
  throw new PluginRunnerError("RESULT_INVALID", `The result cannot be said in JSON: ${type}${where}.`, {
    metadata: { field, type },
  });
}

function stringify(_parent: Frame | undefined, _key: string | number, _type: string, value: unknown): string {
  return String(value);
}

/** RFC 6901. The root's own key is not part of it. */
function pointer(parent: Frame | undefined, key: string | number): string {
  if (parent === undefined) return "";
  return `${pointer(parent.parent, parent.key)}/${String(key).replaceAll("~", "~0").replaceAll("/", "~1")}`;
}

function hasToJson(value: object): value is { toJSON(): unknown } {
  return "toJSON" in value && typeof value.toJSON === "function";
}

function isPlain(value: object): value is Record<string, unknown> {
  const prototype: unknown = Object.getPrototypeOf(value);
  return prototype === Object.prototype || prototype === null;
}
