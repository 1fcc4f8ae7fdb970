import assert from "node:assert/strict";
import { test } from "node:test";
import { runInThisContext } from "node:vm";
import { PluginRunnerError } from "../../src/errors.ts";
import { encode, encodeFields } from "../../src/runtime/encode.ts";
import { valuesTable } from "../support/values-table.ts";

for (const { name, javascript, json, non_finite: nonFinite = [], refused } of valuesTable.results) {
  if (javascript === undefined) continue;
  test(`${name} ${refused ? "is refused, and the rest is kept" : "becomes JSON"}`, () => {
    const value: unknown = runInThisContext(`(${javascript})`);
    const carried = { value: json, nonFinite };
    if (!refused) return assert.deepEqual(pick(encode(value)), carried);
    const error = refusal(value);
    assert.equal(error.metadata.field, refused.field);
    if (refused.type !== undefined) assert.equal(error.metadata.type, refused.type);
    assert.deepEqual(JSON.parse(error.metadata.fields ?? ""), refused.fields ?? [refused.field]);
    assert.deepEqual(error.partialResult, carried);
  });
}

test("a value that is plain JSON is returned as it is", () => {
  const value = { a: [1, "two", null, true, { b: {} }], c: Object.create(null) };
  assert.equal(encode(value).value, value);
});

test("the same object twice is no cycle", () => {
  const one = { a: new Date(0) };
  assert.deepEqual(encode({ one, two: one }).value, { one: { a: one.a.toJSON() }, two: { a: one.a.toJSON() } });
});

test("a refusal names the place, what stands there and what to do, and how many more there are", () => {
  const value = { model: { run: () => 1 }, later: [Promise.resolve(1), /x/] };
  const { message } = refusal(value);
  assert.equal(
    message,
    "The result has no JSON: /model/run is a function: leave it out. 2 more places are named in the error's `fields`.",
  );
  const keys: [unknown, number][] = [
    [1, 1],
    ["1", 2],
  ];
  assert.match(refusal(new Map(keys)).message, /\/1 is a name that occurs twice as text \(1 \(number\) and "1"\)/);
  assert.match(
    refusal(5n ** 50n).message,
    /^The result has no JSON: it is an integer beyond 2\^53: return it as a string/,
  );
});

test("nothing is kept of a result that is refused as a whole", () => {
  assert.equal(refusal(() => 1).partialResult, undefined);
});

test("nesting that clients cannot read is refused, and what is above it is kept", () => {
  let value: unknown = 1;
  for (let depth = 0; depth < 100_000; depth++) value = [value];
  const error = refusal(value);
  assert.match(error.message, /is nesting deeper than clients can read: return less of it, or make it an artifact/);
  assert.match(JSON.stringify(error.partialResult?.value), /^\[{47}null\]{47}$/);
});

test("metrics and fields refuse nothing, and lose nothing but a name that cannot be", () => {
  const list: unknown[] = [];
  list.push(list);
  const fields = {
    nan: Number.NaN,
    minus: -Infinity,
    big: 2n ** 60n,
    deep: [{ f: Symbol("s"), when: new Date(0) }],
    cycle: { list },
    half: "a\ud800",
    "name\udfff": 1,
    train() {},
    get throws() {
      return assert.fail("no");
    },
    alsoThrows: { toJSON: () => assert.fail("no") },
  };
  Object.defineProperty(fields, "__proto__", { value: 1, enumerable: true });
  assert.deepEqual(encodeFields(fields), {
    value: {
      nan: "NaN",
      minus: "-Infinity",
      big: "1152921504606846976",
      deep: [{ f: "Symbol(s)", when: "1970-01-01T00:00:00.000Z" }],
      cycle: { list: [""] },
      half: "a\\ud800",
      "name\\udfff": 1,
      train: "[function train]",
      throws: "[unreadable]",
      alsoThrows: "[unreadable]",
    },
    nonFinite: ["/nan", "/minus"],
  });
});

function pick({ value, nonFinite }: ReturnType<typeof encode>) {
  return { value: JSON.parse(JSON.stringify(value)), nonFinite };
}

function refusal(value: unknown): PluginRunnerError {
  try {
    encode(value);
  } catch (error) {
    assert.ok(error instanceof PluginRunnerError);
    assert.equal(error.reason, "RESULT_INVALID");
    return error;
  }
  assert.fail("it was not refused");
}
