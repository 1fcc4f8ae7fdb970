import assert from "node:assert/strict";
import { test } from "node:test";
import { parseDuration, parseMemory } from "../../src/plugin/units.ts";

test("durations are seconds, or have their unit", () => {
  for (const [value, milliseconds] of [
    [90, 90_000],
    ["90s", 90_000],
    ["1.5h", 5_400_000],
    ["250 ms", 250],
    ["2d", 172_800_000],
    ["soon", undefined],
    ["5", undefined],
    [undefined, undefined],
  ] as const) {
    assert.equal(parseDuration(value), milliseconds, String(value));
  }
});

test("memory has its unit and is rounded up to MiB", () => {
  for (const [value, mib] of [
    ["2GiB", 2048],
    ["512Mi", 512],
    ["1 GB", 954],
    ["1.5TiB", 1_572_864],
    ["2", undefined],
    [2, undefined],
  ] as const) {
    assert.equal(parseMemory(value), mib, String(value));
  }
});
