import assert from "node:assert/strict";
import { test } from "node:test";
import { abortable } from "../../src/util/abortable.ts";

test("what comes first settles it: the work or the signal", async () => {
  assert.equal(await abortable(Promise.resolve("done"), new AbortController().signal), "done");
  const stop = new AbortController();
  const waiting = abortable(new Promise(() => {}), stop.signal);
  stop.abort(new Error("stopped"));
  await assert.rejects(waiting, /stopped/);
});

test("work that fails after the abort fails unheard", async () => {
  const work = Promise.withResolvers<never>();
  await assert.rejects(abortable(work.promise, AbortSignal.abort(new Error("stopped"))), /stopped/);
  // One that nobody handles would end the process, and fails this test.
  work.reject(new Error("later"));
  await new Promise(setImmediate);
});
