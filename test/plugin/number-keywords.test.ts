import assert from "node:assert/strict";
import { test } from "node:test";
import type { JsonObject, JsonValue } from "@bufbuild/protobuf";
import { PluginRunnerError } from "../../src/errors.ts";
import { checkParams } from "../../src/plugin/check-params.ts";
import { compileParams } from "../../src/plugin/params.ts";

/** What a schema for `x` says of a value: nothing, or the fault. */
function verdict(x: JsonObject, value: JsonValue): string {
  try {
    compileParams({ type: "object", properties: { x } }, "digits/train")({ x: value });
    return "";
  } catch (error) {
    if (!(error instanceof PluginRunnerError)) throw error;
    return error.violations.map(({ description, rule }) => `${description} (${rule})`).join("; ");
  }
}

test("a number may be NaN or infinite, unless limits say otherwise", () => {
  for (const value of [Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY]) {
    assert.equal(verdict({ type: "number" }, value), "");
    assert.equal(verdict({ type: ["integer", "number"] }, value), "");
  }
  assert.equal(verdict({ type: "number", minimum: 0 }, Number.POSITIVE_INFINITY), "");
  assert.equal(verdict({ type: "number", minimum: 0 }, Number.NaN), "must be ≥ 0 (minimum)");
  assert.equal(verdict({ type: "number", exclusiveMaximum: 1 }, Number.NaN), "must be < 1 (exclusiveMaximum)");
  assert.equal(verdict({ type: "number", maximum: 1 }, Number.POSITIVE_INFINITY), "must be ≤ 1 (maximum)");
});

test("an integer is neither NaN nor infinite", () => {
  for (const schema of [{ type: "integer" }, { type: ["integer", "null"] }, { allOf: [{ type: "integer" }] }]) {
    assert.match(verdict(schema, Number.POSITIVE_INFINITY), /^must be integer, not Infinity \(type\)$/);
    assert.match(verdict(schema, Number.NaN), /^must be integer( or null)?, not NaN \(type\)$/);
    assert.equal(verdict(schema, 5), "");
  }
});

test("enum and const may have them", () => {
  const schema = { enum: [Number.NaN, Number.NEGATIVE_INFINITY, 1] };
  for (const value of schema.enum) assert.equal(verdict(schema, value), "");
  assert.equal(verdict(schema, 2), "must be one of NaN, -Infinity, 1 (enum)");
  assert.equal(verdict({ const: Number.NaN }, Number.NaN), "");
  assert.equal(verdict({ const: Number.NaN }, 1), "must be one of NaN (enum)");
  const within = { enum: [{ loss: [Number.NaN, 1] }] };
  assert.equal(verdict(within, { loss: [Number.NaN, 1] }), "");
  for (const other of [
    { loss: [Number.NaN, 2] },
    { loss: [Number.NaN] },
    { loss: { 0: Number.NaN, 1: 1 } },
    { best: 1 },
  ]) {
    assert.match(verdict(within, other), /\(enum\)$/);
  }
});

test("a default may be one, at every level, and is filled in as the number", () => {
  const best = { type: "number", default: Number.POSITIVE_INFINITY };
  const properties = { best, nested: { type: "object", default: { loss: [Number.NaN] } } };
  const validator = compileParams({ type: "object", properties }, "digits/train");
  const action = { validator };
  const given = { value: { best: "-Infinity" }, nonFinite: ["/best"] };
  assert.deepEqual(checkParams(action, { value: {}, nonFinite: [] }).params, {
    value: { best: "Infinity", nested: { loss: ["NaN"] } },
    nonFinite: ["/best", "/nested/loss/0"],
  });
  assert.deepEqual(checkParams(action, given).params, {
    value: { best: "-Infinity", nested: { loss: ["NaN"] } },
    nonFinite: ["/best", "/nested/loss/0"],
  });
  assert.deepEqual(given, { value: { best: "-Infinity" }, nonFinite: ["/best"] });
});

test("properties that are called as keywords are no keywords", () => {
  const properties: JsonObject = { type: { type: "integer" }, default: { type: "integer" }, enum: { enum: [1] } };
  const validate = compileParams({ type: "object", properties }, "digits/train");
  validate({ type: 1, default: 2, enum: 1 });
  assert.throws(() => validate({ default: Number.POSITIVE_INFINITY }), /must be integer, not Infinity/);
});
