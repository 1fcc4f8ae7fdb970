import assert from "node:assert/strict";
import { test } from "node:test";
import { maxTimerMs, onceAfter } from "../../src/util/timer.ts";

const hundredDays = 100 * 24 * 3600 * 1000;

test("a wait that is longer than a timer holds ends in time, and once", (t) => {
  t.mock.timers.enable({ apis: ["setTimeout"] });
  let passed = 0;
  onceAfter(hundredDays, () => passed++);
  let left = hundredDays - 1;
  for (; left > maxTimerMs; left -= maxTimerMs) t.mock.timers.tick(maxTimerMs);
  t.mock.timers.tick(left);
  assert.equal(passed, 0);
  t.mock.timers.tick(1);
  assert.equal(passed, 1);
  t.mock.timers.tick(hundredDays);
  assert.equal(passed, 1);
});

test("a wait can be ended at any time of it", (t) => {
  t.mock.timers.enable({ apis: ["setTimeout"] });
  for (const after of [0, maxTimerMs, 2 * maxTimerMs]) {
    const end = onceAfter(hundredDays, () => assert.fail("It had been ended."));
    t.mock.timers.tick(after);
    end();
    t.mock.timers.tick(2 * hundredDays);
  }
});
