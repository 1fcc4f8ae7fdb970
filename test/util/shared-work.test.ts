import assert from "node:assert/strict";
import { test } from "node:test";
import { SharedWork } from "../../src/util/shared-work.ts";

const { signal } = new AbortController();

test("work is done once for all who ask, also later", async () => {
  let done = 0;
  const work = new SharedWork(async () => ++done);
  assert.deepEqual(await Promise.all([work.get(signal), work.get(signal)]), [1, 1]);
  assert.equal(await work.get(signal), 1);
});

test("work that failed, or whose result is not to be kept, is done again", async () => {
  let done = 0;
  const work = new SharedWork(
    async () => {
      if (++done === 1) throw new Error("failed");
      return done;
    },
    (result) => result > 2,
  );
  await assert.rejects(work.get(signal), { message: "failed" });
  assert.equal(await work.get(signal), 2);
  assert.equal(await work.get(signal), 3);
  assert.equal(await work.get(signal), 3);
});

test("a caller that leaves does not end the work", async () => {
  const { promise, resolve } = Promise.withResolvers<string>();
  const work = new SharedWork(() => promise);
  const leaving = new AbortController();
  const left = work.get(leaving.signal);
  leaving.abort(new Error("left"));
  await assert.rejects(left, { message: "left" });
  resolve("done");
  assert.equal(await work.get(signal), "done");
});
