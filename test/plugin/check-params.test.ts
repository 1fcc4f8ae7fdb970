import assert from "node:assert/strict";
import { test } from "node:test";
import type { JsonObject } from "@bufbuild/protobuf";
import { checkParams } from "../../src/plugin/check-params.ts";
import { compileParams } from "../../src/plugin/params.ts";

function versionWith(rate: number) {
  const nested = { type: "object", properties: { rate: { type: "number", default: rate } } };
  const properties: JsonObject = { rate: { type: "number", default: rate }, list: { type: "array", items: nested } };
  return { validator: compileParams({ type: "object", properties }, "digits/train") };
}

test("what was given stays as it is: another version of the plugin fills in its own defaults", () => {
  const given = { value: { list: [{}] }, nonFinite: [] };
  assert.deepEqual(checkParams(versionWith(1), given).params.value, { rate: 1, list: [{ rate: 1 }] });
  assert.deepEqual(checkParams(versionWith(2), given).params.value, { rate: 2, list: [{ rate: 2 }] });
  assert.deepEqual(given, { value: { list: [{}] }, nonFinite: [] });
});

test("params to which nothing can be added are not copied", () => {
  const given = { value: { a: 1 }, nonFinite: [] };
  const validator = compileParams({ properties: { a: { type: "number" } } }, "digits/train");
  assert.equal(checkParams({ validator }, given).params.value, given.value);
});
