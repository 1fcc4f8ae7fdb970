import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { mkdtempSync, readdirSync, rmSync, statSync, truncateSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { compiledCodeVariables, keepCompiledCodeWhole } from "../../src/worker/compiled-code.ts";

test("compiled code that a full disk may have cut is read by no Python, and is gone when the disk is well again", (t) => {
  const { prefix, storage, python } = compiled(t);
  keepCompiledCodeWhole(prefix, storage);
  assert.equal(python(), "1");
  const files = codeIn(prefix);
  assert.ok(files.length > 0);
  for (const file of files) truncateSync(file, statSync(file).size - 8);
  assert.throws(python, /EOFError/, "as Python behaves");
  storage.change(false);
  assert.equal(python(), "1");
  assert.deepEqual(codeIn(prefix), files);
  storage.change(true);
  assert.deepEqual(codeIn(prefix), []);
  assert.equal(python(), "1");
  assert.equal(codeIn(prefix).length, files.length);
});

test("a service that was killed on a full disk leaves its compiled code to no later one; any other does", (t) => {
  const { prefix, storage, python } = compiled(t);
  keepCompiledCodeWhole(prefix, storage);
  python();
  const files = codeIn(prefix);
  keepCompiledCodeWhole(prefix, storage);
  assert.deepEqual(codeIn(prefix), files);
  storage.change(false);
  keepCompiledCodeWhole(prefix, storage);
  assert.deepEqual(codeIn(prefix), []);
});

/** A module that a Python imports, which keeps its compiled code. */
function compiled(t: TestContext) {
  const dir = mkdtempSync(join(tmpdir(), "compiled-"));
  t.after(() => rmSync(dir, { recursive: true, force: true }));
  writeFileSync(join(dir, "one.py"), "ONE = 1\n");
  const prefix = join(dir, "pycache");
  let listener = (_available: boolean) => {};
  const storage = {
    onChange: (told: typeof listener) => {
      listener = told;
    },
    change: (available: boolean) => listener(available),
  };
  const env = () => ({ PATH: process.env.PATH, PYTHONPATH: dir, ...compiledCodeVariables(prefix) });
  const python = () =>
    execFileSync("python3", ["-c", "import one; print(one.ONE)"], {
      env: env(),
      encoding: "utf8",
      stdio: "pipe",
    }).trim();
  return { prefix, storage, python };
}

function codeIn(prefix: string): string[] {
  const entries = readdirSync(prefix, { recursive: true, withFileTypes: true });
  const files = entries
    .filter(({ name }) => name.startsWith("one."))
    .map(({ parentPath, name }) => join(parentPath, name));
  return files.filter((file) => !file.includes("removed-"));
}
