import assert from "node:assert/strict";
import { test } from "node:test";
import { describeActions } from "../../src/runtime/describe-actions.ts";
import { tempTree } from "../plugin/temp-tree.ts";
import { bindingOf } from "./support/worker.ts";

test("a schema that is none is its own action's fault, and says what to give instead", async (t) => {
  const root = tempTree(t, {
    "index.mjs": `
      import { defineAction } from "plugin-runner";
      const run = () => 1;
      class Schema { "~standard" = { vendor: "zod" }; parse() {} }
      export const good = defineAction({ params: { type: "object" }, run });
      export const library = defineAction({ params: new Schema(), run });
      export const older = defineAction({ params: { safeParse() {} }, run });
      export const yes = defineAction({ params: true, run });
      export const code = defineAction({ params: { properties: { a: () => 1 } }, run });
      export const result = defineAction({ result: [], run });
    `,
  });
  const found = await describeActions(bindingOf(root), {});
  const errors = new Map(found.map(({ name, error }) => [name, error]));
  assert.equal(errors.size, 6);
  assert.equal(errors.get("good"), undefined);
  for (const name of ["library", "older", "yes", "code", "result"]) {
    assert.equal(errors.get(name)?.reason, "PLUGIN_INVALID", name);
  }
  const message = (name: string) => errors.get(name)?.message ?? "";
  for (const name of ["library", "older", "code"]) assert.match(message(name), /^params of .*z\.toJSONSchema/, name);
  assert.match(message("result"), /^result of /);
});
