import assert from "node:assert/strict";
import { test } from "node:test";
import { type ActionContext, defineAction, type FromSchema } from "../../src/runtime/index.ts";

/** Compiles only when both types are the same. */
type Same<A, B> = (<T>() => T extends A ? 1 : 2) extends <T>() => T extends B ? 1 : 2 ? true : false;

const train = defineAction({
  name: "train",
  params: {
    type: "object",
    properties: {
      data: { type: "string" },
      epochs: { type: "integer", default: 10 },
      mode: { enum: ["fast", "slow"] },
      sizes: { type: "array", items: { type: ["integer", "null"] } },
      nested: { type: "object", properties: { on: { type: "boolean" } }, required: ["on"] },
      version: { const: 2 },
      anything: {},
    },
    required: ["data", "version"],
  },
  run: (params, ctx: ActionContext) => ({ params, cancelled: ctx.cancelled }),
});

type TrainParams = Parameters<typeof train.run>[0];

const exact: Same<
  Omit<TrainParams, "anything">,
  {
    data: string;
    epochs: number;
    version: 2;
    mode?: "fast" | "slow";
    sizes?: (number | null)[];
    nested?: { on: boolean };
  }
> = true;

test("the type of the params follows from the schema", () => {
  assert.ok(exact);
  const text: Same<FromSchema<{ type: "string" }>, string> = true;
  assert.ok(text);
});

test("an action without a schema takes any object", () => {
  const action = defineAction({ run: (params) => Object.keys(params) });
  assert.deepEqual(action.run({ a: 1 }, {} as never), ["a"]);
});

test("what was declared is what the action says of itself", () => {
  assert.equal(train.name, "train");
  assert.equal(train.description, "");
  assert.equal(train.result, undefined);
});
