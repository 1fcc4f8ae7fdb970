import assert from "node:assert/strict";
import { test } from "node:test";
import { rarely } from "../../src/util/rarely.ts";

test("rarely() logs the first event of a kind, and then one line in each interval with how many there were", () => {
  const lines: unknown[] = [];
  let time = 0;
  const log = rarely(
    (level, message, fields) => lines.push([level, message, fields]),
    1000,
    () => time,
  );
  for (const at of [0, 1, 999, 1000]) {
    time = at;
    log("a", "warn", "refused", { who: "a" });
  }
  log("b", "warn", "refused", { who: "b" });
  assert.deepEqual(lines, [
    ["warn", "refused", { who: "a" }],
    ["warn", "refused", { who: "a", more_before: 2 }],
    ["warn", "refused", { who: "b" }],
  ]);
});

test("rarely() keeps no more kinds than it can hold, whatever strangers make up", () => {
  let lines = 0;
  const log = rarely(
    () => lines++,
    1000,
    () => 0,
  );
  for (let index = 0; index < 10_000; index++) log(`kind ${index}`, "warn", "refused");
  assert.equal(lines, 257);
});
