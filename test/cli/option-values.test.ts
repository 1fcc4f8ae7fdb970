import assert from "node:assert/strict";
import { test } from "node:test";
import { parseBytes, parseDuration, parseInteger, parseList, parsePair } from "../../src/cli/option-values.ts";

test("parseDuration() reads units and sums of them", () => {
  assert.deepEqual(
    ["500ms", "30s", "1.5m", "2h", "7d", "1h30m"].map(parseDuration),
    [500, 30_000, 90_000, 7_200_000, 604_800_000, 5_400_000],
  );
});

for (const text of ["", "5", "s", "5 s", "-5s", "5s!", "1.2.3s"]) {
  test(`parseDuration() refuses ${JSON.stringify(text)}`, () => {
    assert.throws(() => parseDuration(text), RangeError);
  });
}

test("parseBytes() reads plain numbers and binary units", () => {
  assert.deepEqual(["4096", "1B", "64KiB", "1.5MiB", "1GiB"].map(parseBytes), [4096, 1, 65536, 1572864, 1073741824]);
  assert.throws(() => parseBytes("4MB"), RangeError);
});

test("parseInteger() refuses fractions and what is beyond 2^53", () => {
  assert.equal(parseInteger("-3"), -3);
  for (const text of ["1.5", "1e3", "", "9007199254740993"]) assert.throws(() => parseInteger(text), RangeError);
});

test("parseList() and parsePair() keep what stands between the separators", () => {
  assert.deepEqual(parseList(" a, b,,c "), ["a", "b", "c"]);
  assert.deepEqual(parsePair("k=v=w"), ["k", "v=w"]);
  assert.throws(() => parsePair("=v"), RangeError);
});
