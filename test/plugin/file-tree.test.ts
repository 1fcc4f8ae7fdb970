import assert from "node:assert/strict";
import { renameSync, rmSync, symlinkSync, truncateSync, utimesSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { readTree } from "../../src/plugin/file-tree.ts";
import { tempTree, write } from "./temp-tree.ts";

/** So that nothing counts as only just written. */
function age(root: string, ...paths: string[]): void {
  for (const path of ["", ...paths]) utimesSync(join(root, path), 1e9, 1e9);
}

test("the digest covers names and contents, and not times", async (t) => {
  const root = tempTree(t, { "a.py": "1", "b/c.py": "2" });
  const { digest, files } = await readTree(root);
  assert.deepEqual([...files.keys()].sort(), ["a.py", "b/c.py"]);
  age(root, "a.py");
  assert.equal((await readTree(root)).digest, digest);
  write(root, { "a.py": "2" });
  const changed = (await readTree(root)).digest;
  assert.notEqual(changed, digest);
  rmSync(join(root, "a.py"));
  write(root, { "d.py": "2" });
  assert.notEqual((await readTree(root)).digest, changed);
});

test("a change of the same size, in the same instant, is seen", async (t) => {
  const root = tempTree(t, { "a.py": "1" });
  const before = await readTree(root);
  write(root, { "a.py": "2" });
  assert.notEqual((await readTree(root, before)).digest, before.digest);
});

test("a single file is a tree as well", async (t) => {
  const root = tempTree(t, { "a.py": "1" });
  const { digest } = await readTree(join(root, "a.py"));
  write(root, { "a.py": "2", "b.py": "" });
  assert.notEqual((await readTree(join(root, "a.py"))).digest, digest);
});

test("hidden files, installed packages and ignored patterns are no part of it; changed patterns are", async (t) => {
  const root = tempTree(t, {
    "a.py": "",
    ".env": "",
    ".venv/x.py": "",
    "venv/x.py": "",
    "node_modules/x/index.js": "",
    "__pycache__/a.pyc": "",
    "data/x.bin": "",
    "deep/out.log": "",
    "drafts/b.py": "",
    ".gitignore": "*.log\n",
    ".pluginrunnerignore": "/data/\n",
    ".synapseignore": "drafts\n",
  });
  const { digest, files } = await readTree(root);
  assert.deepEqual([...files.keys()].sort(), [".gitignore", ".pluginrunnerignore", ".synapseignore", "a.py"]);
  write(root, { ".gitignore": "*.logs\n" });
  assert.notEqual((await readTree(root)).digest, digest);
});

test("links to folders are not followed", async (t) => {
  const root = tempTree(t, { "a.py": "" });
  symlinkSync(root, join(root, "loop"));
  symlinkSync("nowhere", join(root, "dangling"));
  assert.deepEqual([...(await readTree(root)).files.keys()], ["a.py"]);
});

test("what is gone is PLUGIN_NOT_FOUND", async (t) => {
  await assert.rejects(readTree(join(tempTree(t), "absent")), { reason: "PLUGIN_NOT_FOUND" });
});

test("a large file that was replaced by one of the same size and time is another content", async (t) => {
  const root = tempTree(t, { "a.bin": "" });
  const large = (path: string) => {
    truncateSync(path, 17 * 1024 ** 2);
    utimesSync(path, new Date(2020, 1), new Date(2020, 1));
  };
  large(join(root, "a.bin"));
  const { digest } = await readTree(root);
  assert.equal((await readTree(root)).digest, digest);
  write(root, { "b.bin": "" });
  large(join(root, "b.bin"));
  renameSync(join(root, "b.bin"), join(root, "a.bin"));
  assert.notEqual((await readTree(root)).digest, digest);
});
