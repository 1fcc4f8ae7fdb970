import assert from "node:assert/strict";
import { test } from "node:test";
import { parseEntrypoint } from "../../src/plugin/entrypoint.ts";

test("Python entry points are dotted, with a colon or without", () => {
  const train = { language: "python", module: "plugin.train", name: "Train" };
  assert.deepEqual(parseEntrypoint("plugin.train:Train"), train);
  assert.deepEqual(parseEntrypoint("plugin.train.Train"), train);
  assert.deepEqual(parseEntrypoint("m:Outer.Inner"), { language: "python", module: "m", name: "Outer.Inner" });
});

test("JavaScript entry points are files, with the name of an export or without", () => {
  assert.deepEqual(parseEntrypoint("./a/b.ts#run"), { language: "javascript", module: "./a/b.ts", name: "run" });
  assert.deepEqual(parseEntrypoint("a.mjs"), { language: "javascript", module: "./a.mjs", name: "default" });
});

test("anything else is none", () => {
  for (const text of [
    "",
    "train",
    ":x",
    "a:",
    "a..b",
    ".a.b",
    "a b:c",
    "1a:b",
    "../a.js",
    "./a/../b.js",
    "/a.js",
    "./a.py#x",
  ]) {
    assert.equal(parseEntrypoint(text), undefined, text);
  }
});
