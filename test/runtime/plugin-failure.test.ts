import assert from "node:assert/strict";
import { test } from "node:test";
import { describeThrown } from "../../src/runtime/plugin-failure.ts";

const stackOf = (thrown: unknown) => describeThrown(thrown).stack;

test("the errors of an AggregateError are shown with their stacks", () => {
  const stack = stackOf(new AggregateError([new Error("one"), new TypeError("two"), "three"], "many"));
  assert.match(stack, /^AggregateError: many\n/);
  assert.match(stack, /^\[errors 0\] Error: one\n {4}at /m);
  assert.match(stack, /^\[errors 1\] TypeError: two\n {4}at /m);
  assert.match(stack, /^\[errors 2\] three$/m);
});

test("a cause is shown whatever it is", () => {
  assert.match(stackOf(new Error("outer", { cause: "inner text" })), /^\[cause\] inner text$/m);
  assert.match(stackOf(new Error("outer", { cause: { code: "E1" } })), /^\[cause\] { code: 'E1' }$/m);
  const chain = new Error("a", { cause: new Error("b", { cause: new AggregateError([new Error("d")], "c") }) });
  assert.match(stackOf(chain), /\[cause\] Error: b.*\[cause\] AggregateError: c.*\[errors 0\] Error: d/s);
});

test("both errors of a SuppressedError are shown", () => {
  const suppressed = Object.assign(new Error("An error was suppressed"), {
    name: "SuppressedError",
    error: new Error("at the end"),
    suppressed: new Error("before"),
  });
  assert.match(stackOf(suppressed), /\[error\] Error: at the end.*\[suppressed\] Error: before/s);
});

test("the fields of an error are shown beside its stack", () => {
  const stack = stackOf(Object.assign(new Error("no"), { code: "ENOENT", detail: { line: 3 } }));
  assert.match(stack, /^ {4}with { code: 'ENOENT', detail: { line: 3 } }$/m);
});

test("an error that leads back to itself, or carries thousands, is shown within limits", () => {
  const circle = new Error("circle");
  circle.cause = new Error("round", { cause: circle });
  assert.equal(stackOf(circle).match(/Error: circle/g)?.length, 1);
  const many = new AggregateError(
    Array.from({ length: 5000 }, (_, index) => new Error(`e${index}`)),
    "many",
  );
  assert.ok(stackOf(many).length < 10_000);
});
