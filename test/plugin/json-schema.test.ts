import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import type { JsonObject, JsonValue } from "@bufbuild/protobuf";
import { PluginRunnerError } from "../../src/errors.ts";
import { compileParams } from "../../src/plugin/params.ts";

interface Case {
  name: string;
  schema: JsonObject;
  valid: JsonValue[];
  invalid: JsonValue[];
}

interface Difference {
  name: string;
  schema: JsonObject;
  value: JsonValue;
  standard: string;
  here: string;
  reason: string;
}

const contract: { cases: Case[]; differences: Difference[] } = JSON.parse(
  readFileSync(new URL("../../contract/json-schema.json", import.meta.url), "utf8"),
);

/** What becomes of a value, whose schema may refer to its own root: "refused" is the schema. */
function verdict(schema: JsonObject, value: JsonValue): string {
  try {
    const { $defs, ...own } = schema;
    const inner = refersToRoot(own) ? schema : { $ref: "#/$defs/whole" };
    const whole =
      inner === schema
        ? schema
        : { $defs: { ...(isObject($defs) ? $defs : {}), whole: own }, properties: { value: inner } };
    const params = inner === schema ? value : { value };
    const validate = compileParams(whole, "digits/train");
    assert.ok(isObject(params));
    validate(structuredClone(params));
    return "valid";
  } catch (error) {
    if (!(error instanceof PluginRunnerError)) throw error;
    return error.reason === "PARAMS_INVALID" ? "invalid" : "refused";
  }
}

function refersToRoot(schema: JsonObject): boolean {
  return JSON.stringify(schema).includes('"$ref":"#"');
}

function isObject(value: JsonValue | undefined): value is JsonObject {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

test("params are checked as JSON Schema has it, keyword by keyword", () => {
  for (const { name, schema, valid, invalid } of contract.cases) {
    for (const value of valid) assert.equal(verdict(schema, value), "valid", `${name}: ${JSON.stringify(value)}`);
    for (const value of invalid) assert.equal(verdict(schema, value), "invalid", `${name}: ${JSON.stringify(value)}`);
  }
});

test("where params are checked in another way than the standard has it is listed, with the reason", () => {
  for (const { name, schema, value, standard, here, reason } of contract.differences) {
    assert.equal(verdict(schema, value), here, name);
    assert.notEqual(here, standard, name);
    assert.match(reason, /\.$/, name);
  }
});
