import assert from "node:assert/strict";
import { test } from "node:test";
import type { JsonValue } from "@bufbuild/protobuf";
import { RunnerError } from "../../src/client.ts";
import type { Client } from "../../src/grpc/client.ts";
import { isObject } from "../../src/util/is-object.ts";
import { meant, valuesTable } from "../support/values-table.ts";

/** Runs every row of the table of values with a client of this project's TypeScript library. */
export function testValues(open: () => Client): void {
  for (const { name, value } of valuesTable.echoed) {
    for (const plugin of ["python-values", "javascript-values"]) {
      test(`${name} comes back from ${plugin} as it was given`, async () => {
        assert.deepEqual(await open().runPlugin(plugin, "echo", { value: given(value) }), meant(value));
      });
    }
  }

  for (const { name, value, field, reason } of valuesTable.refused) {
    test(`${name} is refused before it is sent`, async () => {
      await assert.rejects(open().runPlugin("python-values", "echo", { value: given(value) }), (error) => {
        assert.ok(error instanceof RunnerError);
        assert.deepEqual([error.name, error.reason], ["ValidationError", reason]);
        if (field !== undefined) assert.equal(error.violations[0]?.field, field);
        return true;
      });
    });
  }
}

/** The value that a row means, in which integers beyond those of a number are bigints. */
function given(value: JsonValue): unknown {
  if (Array.isArray(value)) return value.map(given);
  if (!isObject(value)) return value;
  const { $number: number } = value;
  if (typeof number === "string" && /^-?\d{2,}$/.test(number)) return BigInt(number);
  if (Object.keys(value).some((key) => key.startsWith("$"))) return meant(value);
  return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, given(item ?? null)]));
}
