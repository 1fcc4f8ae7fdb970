import assert from "node:assert/strict";
import { test } from "node:test";
import type { JsonObject } from "@bufbuild/protobuf";
import { PluginRunnerError } from "../../src/errors.ts";
import { compileParams } from "../../src/plugin/params.ts";
import { shownSchema } from "../../src/plugin/shown-schema.ts";

const training: JsonObject = {
  type: "object",
  required: ["data"],
  additionalProperties: false,
  properties: {
    data: { type: "string", minLength: 1 },
    epochs: { type: "integer", minimum: 1, default: 3 },
    device: { enum: ["cpu", "cuda"], default: "cpu" },
    optimizer: { type: "object", default: {}, properties: { rate: { type: "number", default: 0.1 } } },
  },
};

function refusal(schema: JsonObject, params?: JsonObject): PluginRunnerError {
  try {
    const validate = compileParams(schema, "digits/train");
    if (params) validate(params);
  } catch (error) {
    if (error instanceof PluginRunnerError) return error;
    throw error;
  }
  assert.fail("was not refused");
}

test("defaults are filled in, in place and at every level", () => {
  const params: JsonObject = { data: "x" };
  compileParams(training, "digits/train")(params);
  assert.deepEqual(params, { data: "x", epochs: 3, device: "cpu", optimizer: { rate: 0.1 } });
});

test("defaults of one call are not those of another", () => {
  const validate = compileParams(training, "digits/train");
  const [first, second]: JsonObject[] = [{ data: "x" }, { data: "x" }];
  validate(first ?? {});
  validate(second ?? {});
  assert.notEqual(first?.optimizer, second?.optimizer);
});

test("every violation is reported, each with a pointer, what is allowed, and the rule", () => {
  const error = refusal(training, { epochs: 0, device: "cudaa", epcohs: 3, optimizer: { rate: "fast" } });
  assert.equal(error.reason, "PARAMS_INVALID");
  assert.equal(error.metadata.violations_total, "5");
  assert.deepEqual(
    [...error.violations].sort((a, b) => (a.field < b.field ? -1 : 1)),
    [
      { field: "/params/data", description: "is required", rule: "required" },
      {
        field: "/params/device",
        description: 'must be one of "cpu", "cuda". Did you mean "cuda"?',
        rule: "enum",
      },
      {
        field: "/params/epcohs",
        description: 'is not expected. Did you mean "epochs"?',
        rule: "additionalProperties",
      },
      { field: "/params/epochs", description: "must be ≥ 1", rule: "minimum" },
      { field: "/params/optimizer/rate", description: "must be number, not string", rule: "type" },
    ],
  );
});

test("the message is short: a count and the first three", () => {
  const error = refusal({ required: ["a", "b", "c", "d"] }, {});
  assert.equal(
    error.message,
    "4 parameters of digits/train are invalid: /params/a is required; /params/b is required; /params/c is required; and 1 more",
  );
});

test("pointers are escaped", () => {
  const [violation] = refusal({ required: ["a/b~c"] }, {}).violations;
  assert.equal(violation?.field, "/params/a~1b~0c");
});

test("at most a hundred violations are reported, and how many there were", () => {
  const params = Object.fromEntries(Array.from({ length: 60_000 }, (_, index) => [`key${index}`, 1]));
  const error = refusal({ type: "object", additionalProperties: false, properties: { key: {} } }, params);
  assert.equal(error.violations.length, 100);
  assert.equal(error.metadata.violations_total, "60000");
});

test("no value of a parameter enters the error", () => {
  const error = refusal(
    { properties: { a: { type: "integer" }, b: { pattern: "^x" }, c: { maxLength: 2 } } },
    {
      a: "s3cret",
      b: "s3cret",
      c: "s3cret",
    },
  );
  assert.doesNotMatch(JSON.stringify([error.message, error.violations, error.metadata]), /s3cret/);
});

test("a pattern takes linear time, whatever the text", () => {
  const started = performance.now();
  const text = `${"a".repeat(50_000)}!`;
  for (const pattern of ["^(a+)+$", "^(a|a)*$", "^(.*a){20}$"]) {
    assert.equal(refusal({ properties: { name: { pattern } } }, { name: text }).reason, "PARAMS_INVALID");
  }
  assert.ok(performance.now() - started < 10_000, "backtracking would take longer than the universe is old");
});

test("patterns follow JavaScript's syntax, and are kept apart", () => {
  const validate = compileParams(
    { properties: { a: { pattern: "^\\d{3}-\\u0041$" }, b: { pattern: "^\\p{L}+$" } } },
    "digits/train",
  );
  validate({ a: "123-A", b: "é" });
  assert.throws(() => validate({ a: "é", b: "123-A" }), { reason: "PARAMS_INVALID" });
});

test("a pattern that the linear engine does not know is refused by name", () => {
  for (const pattern of ["(?=x)y", "(a)\\1", "["]) {
    const error = refusal({ properties: { name: { pattern } } });
    assert.equal(error.reason, "PLUGIN_INVALID");
    assert.equal(error.metadata.pattern, pattern);
    assert.match(error.message, /^The params schema of digits\/train cannot be used: The pattern /);
  }
});

test("inherited properties count for nothing", () => {
  const error = refusal({ required: ["constructor", "toString"] }, {});
  assert.equal(error.violations.length, 2);
  const hidden: JsonObject = JSON.parse('{"__proto__": {"a": 1}}');
  assert.equal(refusal({ additionalProperties: false }, hidden).violations.length, 1);
  assert.equal(refusal({ required: ["a"] }, hidden).violations.length, 1);
});

test("references that loop or multiply are refused before a value is seen", () => {
  assert.match(refusal({ $ref: "#" }).message, /leads back to itself/);
  assert.match(refusal({ $defs: { a: { allOf: [{ $ref: "#/$defs/a" }] } }, $ref: "#/$defs/a" }).message, /itself/);
  const chain = Object.fromEntries(
    Array.from({ length: 40 }, (_, n) => [
      `d${n}`,
      n === 39 ? {} : { allOf: [{ $ref: `#/$defs/d${n + 1}` }, { $ref: `#/$defs/d${n + 1}` }] },
    ]),
  );
  assert.match(refusal({ $defs: chain, $ref: "#/$defs/d0" }).message, /multiply/);
  assert.equal(refusal({ $defs: { a: { $anchor: "a", $ref: "#a" } }, $ref: "#a" }, {}).reason, "PLUGIN_INVALID");
});

test("a tree that refers to itself through its children is fine", () => {
  const validate = compileParams(
    { type: "object", properties: { child: { $ref: "#" }, name: { type: "string" } } },
    "digits/train",
  );
  validate({ child: { child: { name: "x" } } });
  assert.throws(() => validate({ child: { child: { name: 1 } } }), { reason: "PARAMS_INVALID" });
});

test("a schema that is remote, too large, too deep or none at all is refused", () => {
  assert.match(refusal({ $ref: "https://example.com/schema.json" }).message, /is not local/);
  assert.match(refusal({ description: "x".repeat(300_000) }).message, /larger than 256 KiB/);
  let deep: JsonObject = {};
  for (let level = 0; level < 100; level++) deep = { not: deep };
  assert.match(refusal(deep).message, /deeper than clients can read: 31 objects/);
  const wide = Object.fromEntries(Array.from({ length: 11_000 }, (_, n) => [`p${n}`, true]));
  assert.match(refusal({ properties: wide }).message, /more than 10000 values/);
  assert.match(refusal({ type: "objekt" }).message, /^The params schema of digits\/train is invalid: \/type must be/);
  assert.match(refusal({ $ref: "#/$defs/absent" }).message, /cannot be used/);
  assert.match(refusal({ $ref: "#/%zz" }).message, /cannot be used|invalid/);
  assert.match(refusal({ $ref: "#/%FF" }).message, /cannot be used/);
});

test("five thousand patterns are refused, five hundred are not", () => {
  const properties = (count: number) =>
    Object.fromEntries(Array.from({ length: count }, (_, n) => [`p${n}`, { pattern: `^${n}$` }]));
  assert.match(refusal({ properties: properties(5000) }).message, /more than 500 patterns/);
  assert.throws(() => compileParams({ properties: properties(500) }, "digits/train")({ p499: "x" }), {
    reason: "PARAMS_INVALID",
  });
});

test("$data reads nothing: it is no schema", () => {
  assert.equal(refusal({ properties: { a: { minimum: { $data: "1/b" } } } }).reason, "PLUGIN_INVALID");
});

test("schemas of older drafts and unknown keywords are taken", () => {
  const validate = compileParams(
    {
      $schema: "http://json-schema.org/draft-07/schema#",
      $id: "https://example.com/train",
      properties: { at: { type: "string", format: "date-time", widget: "clock" }, n: { format: "no-such-format" } },
    },
    "digits/train",
  );
  validate({ at: "2026-01-01T00:00:00Z", n: 1 });
  assert.throws(() => validate({ at: "yesterday" }), { message: /must match format "date-time"/ });
});

test("a name that a schema neither declares nor refuses is told, with the nearest one, at every level", () => {
  const layer: JsonObject = { type: "object", properties: { units: { type: "integer" } } };
  const warn = compileParams(
    {
      $defs: { layer, data: { properties: { path: { type: "string" } } } },
      allOf: [{ properties: { epochs: { type: "integer" } } }, { $ref: "#/$defs/data" }],
      properties: {
        layers: { type: "array", items: { $ref: "#/$defs/layer" } },
        free: { type: "object" },
        open: { properties: { a: {} }, additionalProperties: { type: "integer" } },
        tree: { $ref: "#" },
      },
    },
    "digits/train",
  );
  assert.deepEqual(warn({ epochs: 1, path: "x", free: { any: 1 }, open: { b: 1 }, tree: { epochs: 2 } }), []);
  assert.deepEqual(warn({ epoch: 1, layers: [{ units: 1 }, { "unit/s": 2 }], tree: { tree: { epcohs: 1 } } }), [
    {
      field: "/params/epoch",
      description: 'is not declared by the action, which may ignore it. Did you mean "epochs"?',
      rule: "ignored",
    },
    {
      field: "/params/layers/1/unit~1s",
      description: 'is not declared by the action, which may ignore it. Did you mean "units"?',
      rule: "ignored",
    },
    {
      field: "/params/tree/tree/epcohs",
      description: 'is not declared by the action, which may ignore it. Did you mean "epochs"?',
      rule: "ignored",
    },
  ]);
});

test("a schema that lists no names warns of none", () => {
  assert.deepEqual(compileParams({}, "digits/train")({ any: 1 }), []);
  assert.deepEqual(compileParams({ properties: { a: {} }, patternProperties: { "^x": {} } }, "d/t")({ y: 1 }), []);
});

test("a multiple is one by its decimals, and nothing near it is", () => {
  const takes = (multipleOf: number, value: number) => {
    try {
      compileParams({ properties: { value: { multipleOf } } }, "digits/train")({ value });
      return true;
    } catch {
      return false;
    }
  };
  for (const value of [0.07, 1.13, 8.69, 19.99, 0.3, -0.07, 0, 123456.78]) assert.ok(takes(0.01, value), String(value));
  for (const value of [0.075, 0.0700001, 0.005, 1e-9]) assert.ok(!takes(0.01, value), String(value));
  for (const [factor, value] of [
    [0.1, 0.3],
    [0.1, 1.1],
    [0.1, 0.1 + 0.2],
    [2, 4],
    [0.5, 1e308],
    [1e-8, 12391239123],
  ])
    assert.ok(takes(factor ?? 0, value ?? 0), String([factor, value]));
  for (const [factor, value] of [
    [2, 5],
    [2, 1e15 + 1],
    [0.123456789, 1e308],
    [1, 2 ** 40 + 0.5],
  ])
    assert.ok(!takes(factor ?? 0, value ?? 0), String([factor, value]));
});

test("properties with names that every object inherits are as good as others", () => {
  const inner = { toString: { type: "string", default: "x" }, constructor: { type: "integer", default: 1 } };
  const schema: JsonObject = { properties: { ...inner, sub: { type: "object", default: {}, properties: inner } } };
  const params: JsonObject = {};
  assert.deepEqual(compileParams(schema, "digits/train")(params), []);
  assert.deepEqual(
    JSON.stringify(params),
    '{"sub":{"toString":"x","constructor":1},"toString":"x","constructor":1}',
    "filled in, as own properties",
  );
  const [violation, ...others] = refusal(schema, { constructor: "x" } as unknown as JsonObject).violations;
  assert.deepEqual([violation?.field, violation?.description], ["/params/constructor", "must be integer, not string"]);
  assert.equal(others.length, 0);
  compileParams({ ...schema, required: ["constructor"] }, "digits/train")({});
  assert.equal(refusal({ properties: { valueOf: {} }, required: ["valueOf"] }, {}).violations.length, 1);
});

test("a default that breaks its own schema is the schema's fault, and is not filled in", () => {
  const validate = compileParams(
    {
      properties: {
        note: { type: "string", default: null },
        count: { type: "integer", default: "3" },
        pattern: { type: "string", pattern: "^a", default: "b" },
        layer: { type: "object", default: {}, properties: { units: { type: "integer", default: 1.5 } } },
        most: { type: "integer", maximum: 3, default: 4 },
        least: { type: "integer", minimum: 3, default: 2 },
        list: { type: "array", default: "" },
        named: { type: "object", default: [] },
        whole: { type: "object", default: {}, required: ["a"], properties: { a: {} } },
        good: { type: "string", pattern: "^a", default: "a" },
        open: { type: ["string", "null"], default: null },
        nullable: { type: "string", nullable: true, default: null },
      },
    },
    "digits/train",
  );
  const params: JsonObject = {};
  validate(params);
  assert.deepEqual(params, { layer: {}, good: "a", open: null, nullable: null });
  assert.deepEqual(
    validate.problems?.map(({ message }) => message),
    [
      "/properties/note/default must be string, not null, and is not filled in",
      "/properties/count/default must be integer, not string, and is not filled in",
      '/properties/pattern/default must match pattern "^a", and is not filled in',
      "/properties/layer/properties/units/default must be integer, not number, and is not filled in",
      "/properties/most/default must be ≤ 3, and is not filled in",
      "/properties/least/default must be ≥ 3, and is not filled in",
      "/properties/list/default must be array, not string, and is not filled in",
      "/properties/named/default must be object, not array, and is not filled in",
      "/properties/whole/default, at /a, is required, and is not filled in",
    ],
  );
});

test("forms of older drafts mean what they meant", () => {
  const validate = compileParams(
    {
      $schema: "http://json-schema.org/draft-04/schema#",
      id: "https://example.com/x",
      type: "object",
      definitions: { rate: { type: "number", minimum: 0, exclusiveMinimum: true } },
      properties: {
        size: { type: "array", items: [{ type: "integer" }, { $ref: "#/definitions/rate" }], additionalItems: false },
        rate: { $ref: "#/definitions/rate", required: true },
        same: { $ref: "#/properties/size/items/0" },
        max: { type: "number", maximum: 5, exclusiveMaximum: false },
        any: { type: "any" },
        step: { type: "number", divisibleBy: 2 },
        id: { type: "string" },
      },
      dependencies: { max: ["step"], any: { required: ["id"] } },
    },
    "digits/train",
  );
  validate({ rate: 1, size: [1, 2], same: 3, max: 5, any: [], step: 4, id: "x" });
  const faults = (params: JsonObject) => {
    try {
      validate(params);
    } catch (error) {
      if (error instanceof PluginRunnerError) return error.violations.map(({ field }) => field);
    }
    return [];
  };
  assert.deepEqual(faults({}), ["/params/rate"]);
  assert.deepEqual(faults({ rate: 0, size: ["a", 0, 1], same: "x", step: 3 }).sort(), [
    "/params/rate",
    "/params/same",
    "/params/size",
    "/params/size/0",
    "/params/size/1",
    "/params/step",
  ]);
  assert.deepEqual(faults({ rate: 1, max: 1, any: 1 }).sort(), ["/params/id", "/params/step"]);
});

test("clients are shown schemas of older drafts in the words of 2020-12", () => {
  const $schema = "http://json-schema.org/draft-07/schema#";
  assert.deepEqual(shownSchema({ $schema, properties: { a: { items: [{ type: "integer" }] } } }), {
    $schema: "https://json-schema.org/draft/2020-12/schema",
    properties: { a: { prefixItems: [{ type: "integer" }] } },
  });
  const same = { $schema, properties: { a: { items: { type: "integer" } } } };
  assert.deepEqual(shownSchema(same), same);
});

test("what several parts of a schema ask is told once", () => {
  const part = { required: ["a"], properties: { b: { type: "integer" } } };
  const error = refusal({ allOf: [part, part, part] }, { b: "x" });
  assert.equal(error.violations.length, 2);
  assert.equal(error.metadata.violations_total, "2");
  assert.match(error.message, /^2 parameters of /);
  const schema: JsonObject = { properties: { a: { anyOf: Array.from({ length: 9 }, () => ({ items: 5 })) } } };
  assert.equal(
    new Set(refusal(schema).violations.map((each) => JSON.stringify(each))).size,
    refusal(schema).violations.length,
  );
});

test("a wrong word in a schema is one violation, whatever else it could have been", () => {
  const { message, violations } = refusal({ properties: { a: { type: "integr" } } });
  assert.equal(violations.length, 1);
  assert.match(message, /\/properties\/a\/type must be one of .* Did you mean "integer"\?$/);
});

test("nullable means something beside a type, and nothing elsewhere", () => {
  const validate = compileParams(
    { properties: { a: { type: "string", nullable: true }, b: { nullable: true, anyOf: [{ type: "string" }] } } },
    "digits/train",
  );
  validate({ a: null, b: "x" });
  assert.throws(() => validate({ b: null }), { reason: "PARAMS_INVALID" });
});
