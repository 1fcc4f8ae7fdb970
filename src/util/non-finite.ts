import type { JsonValue } from "@bufbuild/protobuf";
import { pointerPath } from "./json-pointer.ts";

/** A value as it travels. */
export interface Carried<Value extends JsonValue = JsonValue> {
  /** JSON, in which some of the texts "NaN", "Infinity" and "-Infinity" stand for these numbers: */
  readonly value: Value;
  /** the ones at these places, as JSON pointers (RFC 6901). */
  readonly nonFinite: readonly string[];
}

/** The texts that stand for the numbers that JSON has no literal for, as in Protobuf's own JSON mapping. */
const numbers: ReadonlyMap<unknown, number> = new Map([
  ["NaN", Number.NaN],
  ["Infinity", Number.POSITIVE_INFINITY],
  ["-Infinity", Number.NEGATIVE_INFINITY],
]);

/**
 * Turns the texts that `pointers` (RFC 6901) name into the numbers that they stand for: in the value itself, and returns
 * it; a value that is such a text as a whole becomes the number. `stray` is told the index of each pointer that leads to
 * something else.
 */
export function withNumbers(
  value: JsonValue,
  pointers: readonly string[],
  stray: (index: number) => void = () => {},
): JsonValue {
  return replaced(value, pointers, (text) => numbers.get(text), stray);
}

/** The opposite of `withNumbers`: the numbers that pointers name become texts. */
export function withTexts(value: JsonValue, pointers: readonly string[]): JsonValue {
  return replaced(
    value,
    pointers,
    (found) => (typeof found === "number" ? String(found) : undefined),
    () => {},
  );
}

function replaced(
  value: JsonValue,
  pointers: readonly string[],
  substitute: (found: unknown) => JsonValue | undefined,
  stray: (index: number) => void,
): JsonValue {
  const root = { value };
  for (const [index, pointer] of pointers.entries()) {
    const path = ["value", ...pointerPath(pointer)];
    const key = path.pop() ?? "";
    const parent = path.reduce<unknown>(member, root);
    const found = pointer === "" || pointer.startsWith("/") ? substitute(member(parent, key)) : undefined;
    if (found === undefined || typeof parent !== "object" || parent === null) stray(index);
    else Reflect.set(parent, key, found);
  }
  return root.value;
}

/** Those of the pointers that lead to texts which may stand for numbers: what else a process said of its value is no use. */
export function usablePointers(value: JsonValue, pointers: unknown): string[] {
  if (!Array.isArray(pointers) || pointers.length === 0) return [];
  const root = { value };
  return pointers.filter((pointer) => typeof pointer === "string" && isNumberText(root, pointer));
}

function isNumberText(root: { value: JsonValue }, pointer: string): boolean {
  if (pointer !== "" && !pointer.startsWith("/")) return false;
  return numbers.has(["value", ...pointerPath(pointer)].reduce<unknown>(member, root));
}

/** What stands at a key or an index; undefined where there is no such place. */
function member(container: unknown, key: string): unknown {
  if (typeof container !== "object" || container === null || !Object.hasOwn(container, key)) return undefined;
  // "length" is an array's own, and "01" is no index.
  if (Array.isArray(container) && !/^(0|[1-9]\d*)$/.test(key)) return undefined;
  return Reflect.get(container, key);
}
