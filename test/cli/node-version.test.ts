import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { nodeTooOld } from "../../src/cli/node-version.ts";

const root = join(import.meta.dirname, "../..");

test("a Node that is too old is named, in one line that says what to do", () => {
  assert.match(nodeTooOld("20.20.2") ?? "", /^plugin-runner needs Node 24 or newer, and this is 20\.20\.2: [^\n]+$/);
  for (const version of ["24.0.0", "25.1.0", "100.0.0"]) assert.equal(nodeTooOld(version), undefined);
});

test("the oldest Node is the one that package.json says", () => {
  const { engines } = JSON.parse(readFileSync(join(root, "package.json"), "utf8"));
  const [oldest = 0] = /\d+/.exec(engines.node)?.map(Number) ?? [];
  assert.equal(nodeTooOld(`${oldest}.0.0`), undefined);
  assert.ok(nodeTooOld(`${oldest - 1}.9.9`));
});

test("nothing else is loaded before that is checked", () => {
  const imports = (file: string) => readFileSync(join(root, "src/cli", file), "utf8").match(/^import .*/gm) ?? [];
  assert.deepEqual(imports("main.ts"), ['import { nodeTooOld } from "./node-version.ts";']);
  assert.deepEqual(imports("node-version.ts"), []);
});
