import assert from "node:assert/strict";
import { test } from "node:test";
import { schemaRows } from "../../src/cli/schema-rows.ts";

const rows = (schema: unknown) =>
  schemaRows(schema).map(({ name, type, preset, description }) => [name, type, preset, description]);

test("every parameter has its type, its default, and its description with its limits", () => {
  const schema = {
    type: "object",
    required: ["epochs"],
    properties: {
      epochs: { type: "integer", minimum: 1, exclusiveMaximum: 100, description: "Passes over the data" },
      name: { type: "string", pattern: "^a", default: "ada" },
      model: { enum: ["mlp", "svm"] },
      when: { type: "string", format: "date" },
      rate: { anyOf: [{ type: "number", minimum: 0 }, { type: "null" }], default: null },
      tags: { type: "array", items: { type: "string" }, maxItems: 3 },
    },
  };
  assert.deepEqual(rows(schema), [
    ["epochs", "integer", "required", "Passes over the data; at least 1, less than 100"],
    ["name", "string", '"ada"', "matches ^a"],
    ["model", '"mlp"|"svm"', "", ""],
    ["when", "date", "", ""],
    ["rate", "number|null", "null", "at least 0"],
    ["tags", "string[]", "", "at most 3 items"],
  ]);
});

test("the parts of a parameter stand below it, also behind $ref, allOf and anyOf, in lists and in further names", () => {
  const optim = { type: "object", title: "Optim", properties: { alpha: { type: "number", maximum: 1, default: 0.1 } } };
  const schema = {
    $defs: { Optim: optim, "a/b": { allOf: [{ $ref: "#/$defs/Optim" }, { required: ["alpha"] }] } },
    allOf: [{ properties: { first: { $ref: "#/$defs/Optim", description: "The first" } } }],
    properties: {
      second: { allOf: [{ $ref: "#/$defs/Optim" }] },
      third: { anyOf: [{ $ref: "#/$defs/a~1b" }, { type: "null" }] },
      list: { type: "array", items: { $ref: "#/$defs/Optim" } },
      byName: { type: "object", additionalProperties: { $ref: "#/$defs/Optim" } },
    },
  };
  const alpha = (preset = "0.1") => ["number", preset, "at most 1"];
  assert.deepEqual(rows(schema), [
    ["first", "object", "", "The first"],
    ["first.alpha", ...alpha()],
    ["second", "object", "", ""],
    ["second.alpha", ...alpha()],
    ["third", "object|null", "", ""],
    ["third.alpha", ...alpha("required")],
    ["list", "object[]", "", ""],
    ["list[].alpha", ...alpha()],
    ["byName", "object", "", ""],
    ["byName.*.alpha", ...alpha()],
  ]);
});

test("a schema that refers to itself ends, and what is no schema has no rows", () => {
  const schema = { properties: { n: { type: "integer" }, next: { $ref: "#" } } };
  assert.deepEqual(
    rows(schema).map(([name]) => name),
    ["n", "next"],
  );
  const looped = { $ref: "#/$defs/a", $defs: { a: { $ref: "#/$defs/b" }, b: { $ref: "#/$defs/a" } } };
  for (const none of [undefined, true, [], looped]) assert.deepEqual(rows(none), []);
});

test("lists, maps and alternatives of themselves end", () => {
  const self = { $ref: "#/$defs/tree" };
  const trees = [
    { type: "array", items: self },
    { type: "object", additionalProperties: self },
    { anyOf: [{ type: "string" }, { type: "array", items: self }, self] },
  ];
  for (const tree of trees) {
    const rows = schemaRows({ properties: { tree: self }, $defs: { tree } });
    assert.deepEqual(
      rows.map(({ name }) => name),
      ["tree"],
    );
  }
});

test("a union is named in full beside a list of it", () => {
  const $defs = { id: { anyOf: [{ type: "integer" }, { type: "string" }] } };
  const ids = { anyOf: [{ type: "array", items: { $ref: "#/$defs/id" } }, { $ref: "#/$defs/id" }] };
  assert.deepEqual(rows({ $defs, properties: { ids } })[0], ["ids", "(integer|string)[]|integer|string", "", ""]);
});

test("unions that all refer to each other are looked at within bounds", () => {
  const names = ["a", "b", "c", "d", "e", "f", "g", "h"];
  let looked = 0;
  const union = {
    get anyOf() {
      looked++;
      return [...names.map((name) => ({ $ref: `#/$defs/${name}` })), { properties: { x: { type: "integer" } } }];
    },
  };
  const $defs = Object.fromEntries(
    names.map((name) => [
      name,
      Object.create(union, { anyOf: { ...Object.getOwnPropertyDescriptor(union, "anyOf"), enumerable: true } }),
    ]),
  );
  const shown = rows({ $defs, properties: { root: { $ref: "#/$defs/a" } } });
  assert.deepEqual(
    shown.map(([name]) => name),
    ["root", "root.x"],
  );
  assert.ok(looked < 100_000, `${looked} looks`);
});

test("a reference to an anchor, or with a percent sign that stands for no character, leads nowhere", () => {
  for (const $ref of ["#/$defs/%FF", "#node"]) {
    assert.deepEqual(rows({ properties: { a: { $ref } } }), [["a", "", "", ""]]);
  }
});
