import assert from "node:assert/strict";
import { test } from "node:test";
import { readTime } from "../../src/cli/time.ts";

const now = new Date(2026, 10, 29, 12, 30);

const times: [text: string, time: Date][] = [
  ["now", now],
  ["today", new Date(2026, 10, 29)],
  ["Yesterday", new Date(2026, 10, 28)],
  ["2h", new Date(2026, 10, 29, 10, 30)],
  ["1d30m", new Date(2026, 10, 28, 12, 0)],
  ["2026-11-28", new Date(2026, 10, 28)],
  ["2026-11-28T09:30", new Date(2026, 10, 28, 9, 30)],
  ["2026-11-28 09:30:15", new Date(2026, 10, 28, 9, 30, 15)],
  ["2026-11-28T09:30Z", new Date(Date.UTC(2026, 10, 28, 9, 30))],
];

for (const [text, time] of times) {
  test(`${text} is a time`, () => assert.equal(readTime("--since", text, now).getTime(), time.getTime()));
}

for (const text of [
  "",
  "soon",
  "2026",
  "2026-13-01",
  "2026-02-30",
  "999999d",
  "99999999999d",
  "2026-02-29T10:00",
  "-2h",
]) {
  test(`${text || "nothing"} is no time`, () => {
    assert.throws(() => readTime("--since", text, now), { name: "UsageError", message: /^--since: expected a time/ });
  });
}
