import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import type { JsonValue } from "@bufbuild/protobuf";
import { findJsonFault, listLevels, maxMessageLevels, objectLevels } from "../../src/util/json.ts";
import { jsonText } from "../../src/util/json-text.ts";

test("nesting is limited as the contract says, in messages", () => {
  const limits = JSON.parse(readFileSync(new URL("../../contract/limits.json", import.meta.url), "utf8"));
  const { message_levels, object_levels, list_levels } = limits;
  assert.deepEqual([maxMessageLevels, objectLevels, listLevels], [message_levels, object_levels, list_levels]);
  const nested = (levels: number, wrap: (value: JsonValue) => JsonValue) => {
    let value: JsonValue = 1;
    for (let level = 0; level < levels; level++) value = wrap(value);
    return findJsonFault(value)?.pointer;
  };
  assert.equal(
    nested(31, (a) => ({ a })),
    undefined,
  );
  assert.equal(
    nested(32, (a) => ({ a })),
    "/a".repeat(31),
  );
  assert.equal(
    nested(47, (a) => [a]),
    undefined,
  );
  assert.equal(
    nested(48, (a) => [a]),
    "/0".repeat(47),
  );
});

test("minus zero is written so that every reader of JSON takes it for a float, and other values as ever", () => {
  assert.equal(jsonText({ a: [-0, 0, { b: -0 }], c: "-0" }), '{"a":[-0.0,0,{"b":-0.0}],"c":"-0"}');
  const plain = { a: [1, null, "x", { b: undefined }] };
  assert.equal(jsonText(plain), JSON.stringify(plain));
});
