import assert from "node:assert/strict";
import { test } from "node:test";
import { PluginRunnerError } from "../../src/errors.ts";
import { encode, encodeFields } from "../../src/runtime/encode.ts";

test("a value that is plain JSON is returned as it is", () => {
  const value = { a: [1, "two", null, true, { b: {} }], c: Object.create(null) };
  assert.equal(encode(value), value);
});

const time = { a: "1970-01-01T00:00:00.000Z" };

const converted: [string, unknown, unknown][] = [
  ["undefined", undefined, null],
  ["undefined in objects, arrays and holes", { a: undefined, b: sparse() }, { a: null, b: [null, null, 1] }],
  ["a Date", [new Date(0)], ["1970-01-01T00:00:00.000Z"]],
  ["a Set", new Set([1, new Set(["x"])]), [1, ["x"]]],
  [
    "a Map with string and integer keys",
    new Map<unknown, unknown>([
      ["a", 1],
      [2, new Map()],
    ]),
    { a: 1, 2: {} },
  ],
  ["a BigInt that a number can hold", 2n ** 53n - 1n, 9007199254740991],
  ["an array of numbers", { weights: new Float32Array([0.5, 1]) }, { weights: [0.5, 1] }],
  ["what has a toJSON", new URL("http://a/b"), "http://a/b"],
  [
    "an instance of a class",
    new (class Point {
      x = 1;
      y = new Date(0);
    })(),
    { x: 1, y: "1970-01-01T00:00:00.000Z" },
  ],
  ["the same object twice, which is no cycle", twice({ a: new Date(0) }), { one: time, two: time }],
];

for (const [what, value, expected] of converted) {
  test(`${what} becomes JSON`, () => assert.deepEqual(encode(value), expected));
}

const refused: [string, unknown, string, string][] = [
  ["NaN", { loss: [1, Number.NaN] }, "/loss/1", "NaN"],
  ["infinity", -Infinity, "", "-Infinity"],
  ["bytes", { a: { "b/c~d": Buffer.from("x") } }, "/a/b~1c~0d", "Buffer"],
  ["an ArrayBuffer", [new ArrayBuffer(1)], "/0", "ArrayBuffer"],
  ["an array of numbers with NaN", { a: new Float64Array([1, Number.NaN]) }, "/a/1", "NaN"],
  ["a cycle", cycle(), "/list/0", "cycle"],
  ["a BigInt beyond 2^53", { n: 2n ** 60n }, "/n", "integer beyond 2^53"],
  ["a function", { run: () => 1 }, "/run", "function"],
  ["a symbol", [Symbol("s")], "/0", "symbol"],
  ["a promise", { later: Promise.resolve(1) }, "/later", "Promise"],
  ["a regular expression", /x/, "", "RegExp"],
  ["an invalid Date", [new Date(Number.NaN)], "/0", "invalid Date"],
  ["a Map with other keys", { m: new Map([[{}, 1]]) }, "/m", "Map with a key of type object"],
  ["a key __proto__", JSON.parse('{"a":{"__proto__":{"x":1}}}'), "/a/__proto__", "forbidden key"],
];

for (const [what, value, field, type] of refused) {
  test(`${what} is refused, with a pointer to it`, () => {
    assert.throws(
      () => encode(value),
      (error) => {
        assert.ok(error instanceof PluginRunnerError);
        assert.equal(error.reason, "RESULT_INVALID");
        assert.deepEqual(error.metadata, { field, type });
        return true;
      },
    );
  });
}

test("nesting that would exhaust the stack is refused", () => {
  let value: unknown = 1;
  for (let depth = 0; depth < 100_000; depth++) value = [value];
  assert.throws(() => encode(value), /nesting beyond 500 levels/);
});

test("metrics and fields refuse nothing", () => {
  const fields = {
    nan: Number.NaN,
    minus: -Infinity,
    big: 2n ** 60n,
    deep: [{ f: Symbol("s"), when: new Date(0) }],
    cycle: cycle(),
    get throws() {
      return assert.fail("no");
    },
    alsoThrows: { toJSON: () => assert.fail("no") },
  };
  assert.deepEqual(encodeFields(fields), {
    nan: "NaN",
    minus: "-Infinity",
    big: "1152921504606846976",
    deep: [{ f: "Symbol(s)", when: "1970-01-01T00:00:00.000Z" }],
    cycle: { list: ["[object Object]"] },
    throws: "[unreadable]",
    alsoThrows: "[unreadable]",
  });
});

function twice(value: object): object {
  return { one: value, two: value };
}

/** Its second item is a hole. */
function sparse(): unknown[] {
  const list: unknown[] = [undefined];
  list[2] = 1;
  return list;
}

function cycle(): object {
  const list: unknown[] = [];
  const value = { list };
  list.push(value);
  return value;
}
