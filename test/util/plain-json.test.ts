import assert from "node:assert/strict";
import { test } from "node:test";
import { toPlainJson } from "../../src/util/plain-json.ts";

test("a value that is plain JSON is returned as it is", () => {
  const value = { a: [1, "two", null, true, { b: {} }, -0], c: Object.create(null) };
  assert.equal(toPlainJson(value).value, value);
});

const time = "1970-01-01T00:00:00.000Z";

class Point {
  x = 1;
  y = new Date(0);
  get sum() {
    return 2;
  }
}

const converted: [string, unknown, unknown][] = [
  ["undefined", undefined, null],
  ["undefined as a member is left out, in a list it", { a: undefined, b: [undefined, 1] }, { b: [null, 1] }],
  ["a hole of a list", Array(1), [null]],
  ["a Date", [new Date(0)], [time]],
  ["a Set", new Set([1, new Set(["x"])]), [1, ["x"]]],
  [
    "a Map",
    new Map<unknown, unknown>([
      ["a", new Map([[new Date(0), 1]])],
      [2, 3n],
      [true, 4],
      [null, 5],
    ]),
    { a: { [time]: 1 }, 2: 3, true: 4, null: 5 },
  ],
  ["a bigint that a number can hold", 2n ** 53n - 1n, 9007199254740991],
  ["a Float32Array", { weights: new Float32Array([0.5, 1]) }, { weights: [0.5, 1] }],
  ["a BigInt64Array", new BigInt64Array([1n]), [1]],
  ["a Uint8Array", new Uint8Array([255, 1]), "/wE="],
  ["a Buffer", { a: Buffer.from("hello") }, { a: "aGVsbG8=" }],
  ["an ArrayBuffer", new Uint8Array([1]).buffer, "AQ=="],
  ["a DataView", new DataView(new Uint8Array([1, 2, 3]).buffer, 1, 1), "Ag=="],
  ["many bytes", new Uint8Array(100_000), Buffer.alloc(100_000).toString("base64")],
  ["what has a toJSON", { at: new URL("http://a/b") }, { at: "http://a/b" }],
  ["a toJSON that says undefined", { a: { toJSON: () => undefined } }, {}],
  ["an instance of a class", new Point(), { x: 1, y: time }],
  ["boxed values", [Object(1), Object("a"), Object(false), Object(3n)], [1, "a", false, 3]],
  [
    "a generator",
    (function* () {
      yield 1;
      yield "b";
    })(),
    [1, "b"],
  ],
  ["pairs of a name and a value", new URLSearchParams("a=1&b=2"), { a: "1", b: "2" }],
  ["Headers", new Headers({ "X-A": "1" }), { "x-a": "1" }],
  ["the same object twice, which is no cycle", twice(new Map([["a", 1]])), { one: { a: 1 }, two: { a: 1 } }],
];

for (const [what, value, expected] of converted) {
  test(`${what} becomes JSON`, () => {
    assert.deepEqual(toPlainJson(value), { value: expected, nonFinite: [], faults: [] });
  });
}

test("numbers that JSON has no literal for become texts, with pointers to them", () => {
  const value = {
    "a/b~c": [1, Number.NaN, "NaN"],
    deep: new Map([["x", new Float64Array([-Infinity])]]),
    t: { toJSON: () => Infinity },
  };
  assert.deepEqual(toPlainJson(value), {
    value: { "a/b~c": [1, "NaN", "NaN"], deep: { x: ["-Infinity"] }, t: "Infinity" },
    nonFinite: ["/a~1b~0c/1", "/deep/x/0", "/t"],
    faults: [],
  });
  assert.deepEqual(toPlainJson(Number.NaN), { value: "NaN", nonFinite: [""], faults: [] });
});

const refused: [string, unknown, string, string][] = [
  ["a cycle", cycle(), "/list/0", "cycle"],
  ["a cycle through toJSON", itself(), "/self", "cycle"],
  ["a bigint beyond 2^53", { n: 2n ** 60n }, "/n", "integer beyond 2^53"],
  ["a bigint in a typed array", [new BigUint64Array([2n ** 60n])], "/0/0", "integer beyond 2^53"],
  ["a function", { run: () => 1 }, "/run", "function"],
  ["a symbol", [Symbol("s")], "/0", "symbol"],
  ["a promise", { later: Promise.resolve(1) }, "/later", "Promise"],
  ["a regular expression", /x/, "", "RegExp"],
  ["an error", [Object.assign(new Error("x"), { code: 1 })], "/0", "Error"],
  ["an invalid Date", [new Date(Number.NaN)], "/0", "invalid Date"],
  ["a Map with other keys", { m: new Map([[{}, 1]]) }, "/m/[object Object]", "key of type Object"],
  [
    "equal keys of a Map",
    new Map<unknown, number>([
      [1, 1],
      ["1", 2],
    ]),
    "/1",
    "name that occurs twice as text",
  ],
  ["equal names of pairs", new URLSearchParams("a=1&a=2"), "/a", "name that occurs twice as text"],
  ["a key __proto__", JSON.parse('{"a":{"__proto__":{"x":1}}}'), "/a/__proto__", "name that is not allowed"],
  ["half a surrogate pair", { x: "a\ud800" }, "/x", "text with half a surrogate pair"],
  ["a name with one", { "a\ud800": 1 }, "/a\\ud800", "name with half a surrogate pair"],
  [
    "a getter that throws",
    {
      a: {
        get b() {
          throw new Error("no");
        },
      },
    },
    "/a/b",
    "value that throws when it is read",
  ],
];

for (const [what, value, pointer, type] of refused) {
  test(`${what} is a fault, with a pointer to it`, () => {
    assert.deepEqual(
      toPlainJson(value).faults.map((fault) => [fault.pointer, fault.type]),
      [[pointer, type]],
    );
  });
}

test("a fault leaves null, or what the caller says, and everything else", () => {
  const value = { a: [1, Symbol("s")], b: 2n ** 60n, c: 3 };
  assert.deepEqual(toPlainJson(value).value, { a: [1, null], b: null, c: 3 });
  assert.deepEqual(toPlainJson(value, { instead: String }).value, {
    a: [1, "Symbol(s)"],
    b: "1152921504606846976",
    c: 3,
  });
});

test("objects nest 31 levels and lists 47, as every decoder of Protobuf reads them in every message", () => {
  const nest = (levels: number, wrap: (value: unknown) => unknown) => {
    let value: unknown = 1;
    for (let level = 0; level < levels; level++) value = wrap(value);
    return toPlainJson(value).faults;
  };
  assert.deepEqual(
    nest(31, (a) => ({ a })),
    [],
  );
  assert.deepEqual(
    nest(47, (a) => [a]),
    [],
  );
  const type = "nesting deeper than clients can read";
  assert.deepEqual(
    nest(32, (a) => ({ a })),
    [{ pointer: "/a".repeat(31), type }],
  );
  assert.deepEqual(
    nest(100_000, (a) => [a]),
    [{ pointer: "/0".repeat(47), type }],
  );
});

function twice(value: object): object {
  return { one: value, two: value };
}

function cycle(): object {
  const list: unknown[] = [];
  const value = { list };
  list.push(value);
  return value;
}

function itself(): object {
  const value = { toJSON: () => ({ self: value }) };
  return value;
}
