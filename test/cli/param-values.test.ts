import assert from "node:assert/strict";
import { test } from "node:test";
import { readParam, readParamsObject } from "../../src/cli/param-values.ts";
import { UsageError } from "../../src/cli/usage-error.ts";

const single: [text: string, value: unknown][] = [
  ["10", 10],
  ["-0", -0],
  ["1e300", 1e300],
  ["9007199254740991", 9007199254740991],
  ["9007199254740993", 9007199254740993n],
  ["[-9007199254740993]", [-9007199254740993n]],
  ["9007199254740993.0", 9007199254740992],
  ["NaN", Number.NaN],
  ["Infinity", Number.POSITIVE_INFINITY],
  ["-Infinity", Number.NEGATIVE_INFINITY],
  ['"NaN"', "NaN"],
  ["nan", "nan"],
  ["[0.1, NaN]", [0.1, Number.NaN]],
  ['{"NaN":[-Infinity,"a \\"NaN",Infinity]}', { NaN: [Number.NEGATIVE_INFINITY, 'a "NaN', Number.POSITIVE_INFINITY] }],
  ["[-NaN]", "[-NaN]"],
  ["[1NaN]", "[1NaN]"],
  ["[NaNs]", "[NaNs]"],
  ["ten", "ten"],
  ["", ""],
];

for (const [text, value] of single) {
  test(`--param x=${text} is ${typeof value} ${String(value)}`, () =>
    assert.deepEqual(readParam("--param", text), value));
}

test("a number that is larger than any is refused", () => {
  assert.throws(() => readParam("--param", "1e400"), {
    name: "UsageError",
    message: /1e400 is larger than any number/,
  });
  assert.throws(() => readParamsObject("--params", '{"a": -1e400}', false), UsageError);
});

test("all params may be what this program prints, with NaN and the infinities by their names", () => {
  const printed = '{"lr": NaN, "best": [-Infinity, "Infinity"]}';
  assert.deepEqual(readParamsObject("--params", printed, false), {
    lr: Number.NaN,
    best: [Number.NEGATIVE_INFINITY, "Infinity"],
  });
  assert.throws(() => readParamsObject("--params", '{"lr": NaN, x}', false), { message: /"lr": NaN, x/ });
});

test("all params are a JSON object or a YAML mapping", () => {
  assert.deepEqual(readParamsObject("--params", '{"n": 9007199254740993}', false), { n: 9007199254740993n });
  const yaml = "rate: .nan\nbest: -.inf\nn: 9007199254740993\nwhen: 2026-01-01\ntext: NaN\n";
  assert.deepEqual(readParamsObject("--params", yaml, true), {
    rate: Number.NaN,
    best: Number.NEGATIVE_INFINITY,
    n: 9007199254740993n,
    when: "2026-01-01",
    text: "NaN",
  });
  for (const [text, isYaml] of [
    ["[1]", false],
    ["- 1", true],
    ["", true],
    ["{", false],
    ["a: 1\na: 2", true],
  ] as const) {
    assert.throws(() => readParamsObject("--params", text, isYaml), UsageError);
  }
});
