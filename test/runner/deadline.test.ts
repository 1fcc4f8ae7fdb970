import assert from "node:assert/strict";
import { test } from "node:test";
import { PluginRunnerError } from "../../src/errors.ts";
import { withDeadline } from "../../src/runner/deadline.ts";

const forever = new AbortController().signal;
const never = () => new Promise<never>(() => {});

test("work that ends in time gives its result, and its timer does not outlive it", async () => {
  assert.equal(await withDeadline(60_000, forever, async () => "done"), "done");
  await assert.rejects(
    withDeadline(60_000, forever, () => Promise.reject(new Error("no"))),
    /no/,
  );
});

test("the deadline rejects with DEADLINE, whether the work heeds its signal or not, and tells the work", async () => {
  let seen: unknown;
  const work = (signal: AbortSignal) => {
    signal.addEventListener("abort", () => {
      seen = signal.reason;
    });
    return never();
  };
  await assert.rejects(withDeadline(5, forever, work), (error) => {
    assert.ok(error instanceof PluginRunnerError && error.reason === "DEADLINE");
    assert.equal(error.metadata.timeout_seconds, "0.005");
    assert.equal(error, seen);
    return true;
  });
});

test("an outer signal comes first, also when it has aborted before", async () => {
  const reason = new Error("left");
  const outer = new AbortController();
  const run = withDeadline(60_000, outer.signal, never);
  outer.abort(reason);
  await assert.rejects(run, reason);
  await assert.rejects(withDeadline(60_000, outer.signal, never), reason);
});

test("a deadline beyond what a timer can hold is not over at once", async () => {
  assert.equal(await withDeadline(2 ** 40, forever, async () => "done"), "done");
});

test("without a deadline the work gets the signal itself", async () => {
  assert.equal(await withDeadline(undefined, forever, async (signal) => signal), forever);
});
