import assert from "node:assert/strict";
import { test } from "node:test";
import { withNumbers } from "../../src/util/non-finite.ts";

test("the texts that pointers name become numbers, and other texts stay", () => {
  const value = { "a/b~c": [1, "NaN", "NaN"], x: { y: "-Infinity" } };
  assert.deepEqual(withNumbers(value, ["/a~1b~0c/1", "/x/y"]), {
    "a/b~c": [1, Number.NaN, "NaN"],
    x: { y: Number.NEGATIVE_INFINITY },
  });
  assert.equal(withNumbers("Infinity", [""]), Number.POSITIVE_INFINITY);
});

test("a pointer that leads to something else changes nothing, and is told", () => {
  const strays: number[] = [];
  const pointers = ["/a", "/b", "/list/length", "/list/01", "/list/9", "a", "/__proto__/x", "/ok/0", ""];
  const value = withNumbers({ a: "nan", list: ["NaN", "NaN"], ok: "NaN" }, pointers, (index) => strays.push(index));
  assert.deepEqual(value, { a: "nan", list: ["NaN", "NaN"], ok: "NaN" });
  assert.deepEqual(strays, pointers.keys().toArray());
});
