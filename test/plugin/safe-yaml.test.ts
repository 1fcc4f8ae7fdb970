import assert from "node:assert/strict";
import { test } from "node:test";
import { PluginRunnerError } from "../../src/errors.ts";
import { parseYaml } from "../../src/plugin/safe-yaml.ts";

function refusal(text: string): PluginRunnerError {
  try {
    parseYaml(text, "config.yaml");
  } catch (error) {
    if (error instanceof PluginRunnerError) return error;
    throw error;
  }
  assert.fail("was not refused");
}

test("a value's place and the way it is written are known", () => {
  const yaml = parseYaml("a:\n  b: [1, 2.50]\n", "x.yaml");
  assert.deepEqual(yaml.value, { a: { b: [1, 2.5] } });
  assert.deepEqual(yaml.locate(["a", "b"]), { line: 2, column: 6 });
  assert.deepEqual(yaml.locate(["a", "b"], "key"), { line: 2, column: 3 });
  assert.equal(yaml.written(["a", "b"]), undefined);
  assert.equal(parseYaml("v: 1.10", "x.yaml").written(["v"]), "1.10");
});

test("maps are merged, as the Python SDK does", () => {
  const { value } = parseYaml("base: &base {a: 1, b: 2}\nother:\n  <<: *base\n  b: 3\n", "x.yaml");
  assert.deepEqual(value, { base: { a: 1, b: 2 }, other: { a: 1, b: 3 } });
});

test("a syntax error names line and column and shows the line with a caret", () => {
  const error = refusal("name: x\nactions: {a: [}\n");
  assert.equal(error.reason, "PLUGIN_INVALID");
  assert.equal(error.metadata.line, "2");
  assert.match(error.message, /^config\.yaml:2:15: .*\n\nactions: \{a: \[\}\n {14}\^\n/);
});

test("an error in a block of environment variables shows no line", () => {
  const error = refusal("name: x\nenv:\n  TOKEN: 's3cret' oops\n");
  assert.doesNotMatch(error.message + JSON.stringify(error.violations), /s3cret|oops/);
});

test("text that is too large, too long or too deep is refused before it is parsed", () => {
  assert.match(refusal(`a: ${"x".repeat(300_000)}`).message, /larger than 256 KiB/);
  assert.match(refusal("#\n".repeat(10_001)).message, /more than 10000 lines/);
  const indented = Array.from({ length: 40 }, (_, level) => `${" ".repeat(level)}k:`).join("\n");
  for (const deep of ["[".repeat(10_000), "[\n".repeat(5000), "- ".repeat(60_000), "? ".repeat(5000), indented]) {
    assert.match(refusal(deep).message, /deeper than 32 levels/);
  }
  assert.match(refusal(`a: ${"!x ".repeat(5000)}`).message, /deeper than 32 levels/);
});

test("brackets inside of text are no nesting", () => {
  const text = `text: |\n${"  see [ and {\n".repeat(200)}quoted: "${"[".repeat(100)}"\n`;
  assert.equal(typeof parseYaml(text, "x.yaml").value, "object");
});

test("tens of thousands of keys are checked in linear time", () => {
  const keys = `{${Array.from({ length: 35_000 }, (_, index) => `k${index}`).join(",")}}`;
  const started = performance.now();
  parseYaml(keys, "x.yaml");
  assert.ok(performance.now() - started < 10_000, "a quadratic check takes half a minute");
});

test("repeated keys, __proto__, unknown tags and alias bombs are errors", () => {
  assert.match(refusal("a: 1\nb: 2\na: 3\n").message, /:3:1: "a" stands twice/);
  assert.match(refusal("x:\n  __proto__: {a: 1}\n").message, /:2:3: "__proto__" must not be a key/);
  assert.equal(refusal('a: !!js/function "function () {}"').metadata.line, "1");
  const bomb = ["a0: &a0 [x]", ...Array.from({ length: 20 }, (_, n) => `a${n + 1}: &a${n + 1} [*a${n}, *a${n}]`)];
  assert.equal(refusal(bomb.join("\n")).reason, "PLUGIN_INVALID");
  assert.match(refusal("a: &a 1\nb: [*a]\n".replace("*a", "*a, ".repeat(9000))).message, /more than 100 aliases/);
  assert.match(refusal("<<: 1\n").message, /Merge sources must be maps/);
  assert.match(refusal("? [a]\n: 1\n").message, /key that is not text/);
  assert.equal(refusal("a: &a [*a]").reason, "PLUGIN_INVALID");
  assert.equal(refusal("a: 1\n---\nb: 2\n").reason, "PLUGIN_INVALID");
});
