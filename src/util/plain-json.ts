import type { JsonObject, JsonValue } from "@bufbuild/protobuf";
import { escapePointer, listLevels, maxMessageLevels, objectLevels } from "./json.ts";
import { wellFormed } from "./shown-text.ts";

/** A value as JSON, and what had to be said beside it. */
export interface PlainJson {
  /** The texts "NaN", "Infinity" and "-Infinity" stand for these numbers; null stands at the places of the faults. */
  value: JsonValue;
  /** JSON pointers (RFC 6901) to the texts that stand for numbers. */
  nonFinite: string[];
  /** What JSON cannot carry, in order. */
  faults: PlainJsonFault[];
}

/** One place of a value that JSON cannot carry. */
export interface PlainJsonFault {
  /** JSON pointer; empty for the whole. */
  pointer: string;
  /** What stands there, for example `function` or `integer beyond 2^53`. */
  type: string;
  /** More of it in words, where the type alone does not say what is meant. */
  detail?: string;
}

export interface PlainJsonOptions {
  /** What stands at the place of a fault. Default: null. */
  instead?: (value: unknown) => JsonValue;
  /** How many levels of messages it may take. Default: as many as clients can read. */
  levels?: number;
  /** What stands for a member that is undefined. Default: it is left out. */
  absent?: null;
  /** What a member is called whose name has half a surrogate pair. Default: it is a fault. */
  rename?: (name: string) => string;
}

/**
 * Turns a value of a program into plain JSON, without loss: what has no JSON is a fault, and everything else is there.
 * A value that is plain JSON already is returned as it is, without a copy. Members that are undefined are left out, as
 * `JSON.stringify` does; a Date is ISO 8601, a Set or another iterable a list, a Map an object, bytes base64, other typed
 * arrays lists; `toJSON` is asked; instances give their own properties.
 */
export function toPlainJson(value: unknown, options: PlainJsonOptions = {}): PlainJson {
  if (isPlainNow(value, options.levels ?? maxMessageLevels)) return { value, nonFinite: [], faults: [] };
  const encoder = new Encoder(options);
  const encoded = encoder.encode(value, undefined, "");
  return { value: encoded ?? null, nonFinite: encoder.nonFinite, faults: encoder.faults };
}

/** A getter of the value's author may throw; the encoder then says where. */
function isPlainNow(value: unknown, levels: number): value is JsonValue {
  try {
    return isPlainJson(value, levels);
  } catch {
    return false;
  }
}

/** Whether a value is JSON as it stands. A cycle ends where the levels do. */
export function isPlainJson(value: unknown, levels: number): value is JsonValue {
  if (typeof value === "string") return value.isWellFormed();
  if (typeof value === "number") return Number.isFinite(value);
  if (typeof value === "boolean" || value === null) return true;
  if (typeof value !== "object") return false;
  return Array.isArray(value) ? isPlainList(value, levels - listLevels) : isPlainObject(value, levels - objectLevels);
}

function isPlainList(list: readonly unknown[], levels: number): boolean {
  if (levels < 0) return false;
  for (let index = 0; index < list.length; index++) if (!isPlainJson(list[index], levels)) return false;
  return true;
}

function isPlainObject(object: object, levels: number): boolean {
  if (levels < 0 || !isPlain(object) || hasToJson(object)) return false;
  for (const key in object) {
    if (key === "__proto__" || !key.isWellFormed() || !isPlainJson(object[key], levels)) return false;
  }
  return true;
}

/** A container that is being encoded, and where it stands: the way back to the root is the JSON pointer. */
interface Frame {
  parent: Frame | undefined;
  key: string | number;
  value: object;
  /** The levels of messages that are left below it. */
  levels: number;
  /** What its `toJSON` gave stands in its place, and is no step of a pointer. */
  asked?: boolean;
}

/** Undefined stands for a member that is left out. */
type Encoded = JsonValue | undefined;

class Encoder {
  readonly nonFinite: string[] = [];
  readonly faults: PlainJsonFault[] = [];
  readonly #options: PlainJsonOptions;

  constructor(options: PlainJsonOptions) {
    this.#options = options;
  }

  encode(value: unknown, parent: Frame | undefined, key: string | number): Encoded {
    switch (typeof value) {
      case "string":
        return value.isWellFormed() ? value : this.#fault(parent, key, "text with half a surrogate pair", value);
      case "boolean":
        return value;
      case "number":
        return this.#number(value, parent, key);
      case "undefined":
        return this.#options.absent;
      case "object":
        return value === null ? null : this.#object(value, parent, key);
      case "bigint":
        if (Number.isSafeInteger(Number(value))) return Number(value);
        return this.#fault(parent, key, "integer beyond 2^53", value);
      default:
        return this.#fault(parent, key, value === unreadable ? unreadableType : typeof value, value);
    }
  }

  #number(value: number, parent: Frame | undefined, key: string | number): JsonValue {
    if (Number.isFinite(value)) return value;
    this.nonFinite.push(pointerTo(parent, key));
    return String(value);
  }

  #object(value: object, parent: Frame | undefined, key: string | number): Encoded {
    for (let above = parent; above !== undefined; above = above.parent) {
      if (above.value === value) return this.#fault(parent, key, "cycle", value);
    }
    const frame: Frame = { parent, key, value, levels: parent?.levels ?? this.#options.levels ?? maxMessageLevels };
    try {
      if (Array.isArray(value)) return this.#list(value, frame);
      return isPlain(value) && !hasToJson(value) ? this.#entries(value, frame) : this.#instance(value, frame);
    } catch {
      return this.#fault(parent, key, unreadableType, unreadable); // a toJSON or an iterator of its author
    }
  }

  #list(items: Iterable<unknown>, { parent, key, value, levels }: Frame): JsonValue {
    const frame: Frame = { parent, key, value, levels: levels - listLevels };
    if (frame.levels < 0) return this.#tooDeep(frame);
    return Array.from(items, (item, index) => this.encode(item, frame, index) ?? null);
  }

  /** The own properties of an object, as JSON's members. */
  #entries(object: object, frame: Frame): JsonValue {
    return this.#members(entriesOf(object), frame);
  }

  #members(entries: Iterable<readonly [string, unknown]>, { parent, key, value, levels }: Frame): JsonValue {
    const frame: Frame = { parent, key, value, levels: levels - objectLevels };
    if (frame.levels < 0) return this.#tooDeep(frame);
    const object: JsonObject = {};
    for (const [given, item] of entries) {
      const name = given.isWellFormed() ? given : (this.#options.rename?.(given) ?? given);
      if (name === "__proto__") this.#fault(frame, name, "name that is not allowed", item);
      else if (!name.isWellFormed()) this.#fault(frame, name, "name with half a surrogate pair", item);
      else {
        const encoded = this.encode(item, frame, name);
        if (encoded !== undefined) object[name] = encoded;
      }
    }
    return object;
  }

  #instance(value: object, frame: Frame): Encoded {
    const { parent, key } = frame;
    if (value instanceof Map) return this.#map(value, frame);
    if (value instanceof Set) return this.#list(value, frame);
    if (value instanceof Date) {
      return Number.isNaN(value.getTime()) ? this.#fault(parent, key, "invalid Date", value) : value.toISOString();
    }
    const bytes = bytesOf(value);
    if (bytes) return base64(bytes);
    if (isNumbers(value)) return this.#list(value, frame);
    if (isBoxed(value)) return this.encode(value.valueOf(), parent, key);
    if (hasToJson(value)) return this.#asked(value, frame);
    if (isPairs(value)) return this.#map(value, frame);
    if (isIterable(value)) return this.#list(value, frame);
    const tag = tagOf(value);
    const named = tag === "Object" || (Object.keys(value).length > 0 && !(value instanceof Error));
    return named ? this.#entries(value, frame) : this.#fault(parent, key, tag, value);
  }

  /** What `toJSON` gives stands at the place of the value; the frame shows a value that gives itself. */
  #asked(value: { toJSON(key: string): unknown }, frame: Frame): Encoded {
    const given = value.toJSON(String(frame.key));
    return given === value ? this.#entries(value, frame) : this.encode(given, { ...frame, asked: true }, frame.key);
  }

  #map(pairs: Iterable<readonly [unknown, unknown]>, frame: Frame): JsonValue {
    const entries = new Map<string, unknown>();
    const keys = new Map<string, unknown>();
    for (const [key, item] of pairs) {
      const name = nameOf(key);
      if (name === undefined) {
        this.#fault(frame, labelOf(key), `key of type ${kindOf(key)}`, item);
      } else if (keys.has(name)) {
        const detail = `${keyInWords(keys.get(name))} and ${keyInWords(key)}`;
        this.#fault(frame, name, "name that occurs twice as text", item, detail);
        // Neither of the two values is the one at this name; where nothing is refused, the first is better than none.
        if (!this.#options.instead) entries.set(name, null);
      } else {
        keys.set(name, key);
        entries.set(name, item);
      }
    }
    return this.#members(entries, frame);
  }

  #tooDeep({ parent, key, value }: Frame): JsonValue {
    return this.#fault(parent, key, "nesting deeper than clients can read", value);
  }

  #fault(parent: Frame | undefined, key: string | number, type: string, value: unknown, detail?: string): JsonValue {
    this.faults.push({ pointer: pointerTo(parent, key), type, ...(detail !== undefined && { detail }) });
    return this.#options.instead?.(value === unreadable ? "[unreadable]" : value) ?? null;
  }
}

/** Stands for what a getter of the value's author throws instead of giving it. */
const unreadable = Symbol("unreadable");
const unreadableType = "value that throws when it is read";

function* entriesOf(object: object): Iterable<readonly [string, unknown]> {
  for (const name of Object.keys(object)) yield [name, read(object, name)];
}

function read(object: object, name: string): unknown {
  try {
    return Reflect.get(object, name);
  } catch {
    return unreadable;
  }
}

/** The key 1 and the key "1" are the same text. */
function keyInWords(key: unknown): string {
  return typeof key === "string" ? JSON.stringify(key) : `${labelOf(key)} (${kindOf(key)})`;
}

function kindOf(key: unknown): string {
  return typeof key === "object" && key !== null ? tagOf(key) : typeof key;
}

/** What stands for a key in a pointer or a message. An object's own `toString` may be missing, or throw. */
function labelOf(key: unknown): string {
  const isOwn = (typeof key === "object" && key !== null && !(key instanceof Date)) || typeof key === "function";
  return isOwn ? Object.prototype.toString.call(key) : String(key);
}

/** RFC 6901. The root's own key is not part of it. */
function pointerTo(parent: Frame | undefined, key: string | number): string {
  if (parent === undefined) return "";
  const above = pointerTo(parent.parent, parent.key);
  return parent.asked ? above : `${above}/${escapePointer(wellFormed(String(key)))}`;
}

/** A Map's key as a member's name: what is a text as JSON, such as a date, an URL or bytes, or a number, a boolean or null. */
function nameOf(key: unknown): string | undefined {
  if (key instanceof Date) return Number.isNaN(key.getTime()) ? undefined : key.toISOString();
  const plain = typeof key === "object" && key !== null ? plainKey(key) : key;
  if (typeof plain === "string") return plain;
  const isWord = plain === null || ["number", "bigint", "boolean"].includes(typeof plain);
  return isWord ? String(plain) : undefined;
}

function plainKey(key: object): unknown {
  const bytes = bytesOf(key);
  if (bytes) return base64(bytes);
  if (isBoxed(key)) return key.valueOf();
  return hasToJson(key) ? key.toJSON("") : key;
}

/** The bytes of what holds bytes: a Uint8Array, as Buffer is one, a DataView or an ArrayBuffer. */
function bytesOf(value: object): Uint8Array | undefined {
  if (value instanceof Uint8Array) return value;
  if (value instanceof DataView) return new Uint8Array(value.buffer, value.byteOffset, value.byteLength);
  return isBuffer(value) ? new Uint8Array(value) : undefined;
}

/** Pages have no SharedArrayBuffer unless they are isolated. */
function isBuffer(value: object): value is ArrayBufferLike {
  return value instanceof ArrayBuffer || tagOf(value) === "SharedArrayBuffer";
}

/** `btoa` is in Node and in browsers; it takes a character a byte, and a call has only so many arguments. */
function base64(bytes: Uint8Array): string {
  const step = 3 * 8192;
  let text = "";
  for (let at = 0; at < bytes.length; at += step) text += btoa(String.fromCharCode(...bytes.subarray(at, at + step)));
  return text;
}

function isNumbers(value: object): value is object & Iterable<number | bigint> {
  return ArrayBuffer.isView(value);
}

function isBoxed(value: object): boolean {
  return value instanceof Number || value instanceof String || value instanceof Boolean || value instanceof BigInt;
}

/** Headers, FormData and the like: iterable as pairs of a name and a value. */
function isPairs(value: object): value is object & Iterable<readonly [unknown, unknown]> {
  return isIterable(value) && "entries" in value && value.entries === Reflect.get(value, Symbol.iterator);
}

function isIterable(value: object): value is object & Iterable<unknown> {
  return typeof Reflect.get(value, Symbol.iterator) === "function";
}

function hasToJson(value: object): value is { toJSON(key: string): unknown } {
  return "toJSON" in value && typeof value.toJSON === "function";
}

function isPlain(value: object): value is Record<string, unknown> {
  const prototype: unknown = Object.getPrototypeOf(value);
  return prototype === Object.prototype || prototype === null;
}

function tagOf(value: object): string {
  return Object.prototype.toString.call(value).slice("[object ".length, -1);
}
