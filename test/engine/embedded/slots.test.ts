import assert from "node:assert/strict";
import { test } from "node:test";
import { Slots } from "../../../src/engine/embedded/slots.ts";

const forever = new AbortController().signal;

test("slots are given in the order in which they were asked for", async () => {
  const slots = new Slots(1);
  const got: string[] = [];
  const take = (name: string) => slots.take(forever).then(() => got.push(name));
  await take("a");
  const others = [take("b"), take("c")];
  assert.deepEqual([slots.full, got], [true, ["a"]]);
  slots.release();
  await others[0];
  assert.deepEqual(got, ["a", "b"]);
  slots.release();
  await others[1];
  slots.release();
  assert.equal(slots.full, false);
});

test("one that leaves takes none, wherever it stands", async () => {
  const slots = new Slots(1);
  await slots.take(forever);
  const leave = new AbortController();
  const leaving = slots.take(leave.signal);
  const next = slots.take(forever);
  leave.abort(new Error("left"));
  await assert.rejects(leaving, /left/);
  slots.release();
  await next;
  await assert.rejects(slots.take(leave.signal), /left/);
});

test("what goes on already takes a slot beyond the limit, and others wait until there are fewer", async () => {
  const slots = new Slots(1);
  slots.force();
  slots.force();
  let taken = false;
  const waiting = slots.take(forever).then(() => {
    taken = true;
  });
  slots.release();
  await Promise.resolve();
  assert.equal(taken, false);
  slots.release();
  await waiting;
});
