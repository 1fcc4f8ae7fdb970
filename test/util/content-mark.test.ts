import assert from "node:assert/strict";
import { test } from "node:test";
import { inspect } from "node:util";
import { contentMark } from "../../src/util/content-mark.ts";

/** No two of them are the same content. */
const different = [
  null,
  true,
  false,
  0,
  -0,
  1,
  -1,
  0.5,
  2 ** 31,
  2 ** 32,
  2 ** 53,
  Number.NaN,
  Number.POSITIVE_INFINITY,
  Number.NEGATIVE_INFINITY,
  1n,
  2n ** 63n,
  "",
  "1",
  "a",
  "ab",
  "ba",
  "a\0",
  "\0a",
  "é",
  "\ud83d\ude00",
  "null",
  "NaN",
  [],
  [[]],
  [null],
  [1],
  ["1"],
  [1, 2],
  [2, 1],
  [[1], 2],
  [[1, 2]],
  {},
  { a: null },
  { a: 1 },
  { b: 1 },
  { a: "b" },
  { b: "a" },
  { a: { b: 1 } },
  { a: 1, b: 2 },
  { a: 2, b: 1 },
  { a: 1, b: 2, c: 3 },
  { a: { b: 1 }, c: 1 },
  { a: { c: 1 }, b: 1 },
];

test("different content has different marks", () => {
  const seen = new Map<string, unknown>();
  for (const value of different) {
    const mark = contentMark(value);
    assert.ok(!seen.has(mark), `${inspect(value)} and ${inspect(seen.get(mark))}`);
    seen.set(mark, value);
  }
});

test("a mark of 100,000 texts, numbers and objects that differ a little is had by one alone", () => {
  const marks = new Set<string>();
  for (let index = 0; index < 100_000; index++) {
    marks
      .add(contentMark(`text ${index}`))
      .add(contentMark(index))
      .add(contentMark({ [`name ${index}`]: [index] }));
  }
  assert.equal(marks.size, 300_000);
});

test("equal content has equal marks, whatever the order of its names, and whether what is absent is named", () => {
  const one = { a: [1, "x", { b: true, c: null }], d: 2n, e: { f: -1.5, g: "" } };
  const same = { e: { g: "", f: -1.5 }, d: 2n, a: [1, "x", { c: null, b: true }], h: undefined };
  assert.equal(contentMark(one), contentMark(same));
});
