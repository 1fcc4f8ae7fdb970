import assert from "node:assert/strict";
import { test } from "node:test";
import { Slots } from "../../../src/engine/embedded/slots.ts";

const forever = new AbortController().signal;

test("slots are given in the order in which they were asked for", async () => {
  const slots = new Slots(1);
  const got: string[] = [];
  const take = (name: string) => slots.take(name, forever).then(() => got.push(name));
  await take("a");
  const others = [take("b"), take("c")];
  assert.deepEqual([slots.full("d"), got], [true, ["a"]]);
  slots.release("a");
  await others[0];
  assert.deepEqual(got, ["a", "b"]);
  slots.release("b");
  await others[1];
  slots.release("c");
  assert.equal(slots.full("d"), false);
});

test("one that leaves takes none, wherever it stands", async () => {
  const slots = new Slots(1);
  await slots.take("a", forever);
  const leave = new AbortController();
  const leaving = slots.take("b", leave.signal);
  const next = slots.take("c", forever);
  leave.abort(new Error("left"));
  await assert.rejects(leaving, /left/);
  slots.release("a");
  await next;
  await assert.rejects(slots.take("d", leave.signal), /left/);
});

test("what goes on already takes a slot beyond the limit, and others wait until there are fewer", async () => {
  const slots = new Slots(1);
  slots.force("a");
  slots.force("b");
  let taken = false;
  const waiting = slots.take("c", forever).then(() => {
    taken = true;
  });
  slots.release("a");
  await Promise.resolve();
  assert.equal(taken, false);
  slots.release("b");
  await waiting;
});

test("a job has one slot, however often it takes and releases it", async () => {
  const slots = new Slots(2);
  await slots.take("a", forever);
  slots.force("a");
  await slots.take("a", forever);
  await slots.take("b", forever);
  await slots.take("a", forever);
  slots.release("a");
  slots.release("a");
  await slots.take("c", forever);
  assert.equal(slots.full("d"), true);
});
