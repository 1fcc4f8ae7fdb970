import assert from "node:assert/strict";
import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { FolderWatcher } from "../../src/plugin/folder-watcher.ts";
import { silentLog } from "../../src/util/log.ts";
import { tempTree, write } from "./temp-tree.ts";

test("a change in a watched folder is told, one of compiled code is not", async (t) => {
  const root = tempTree(t);
  const watcher = new FolderWatcher(silentLog);
  t.after(() => watcher.close());
  const { promise, resolve } = Promise.withResolvers<void>();
  let changes = 0;
  watcher.watch("a", [root], () => {
    changes++;
    resolve();
  });
  mkdirSync(join(root, "__pycache__"));
  await new Promise((next) => setImmediate(next));
  assert.equal(changes, 0);
  write(root, { "a.py": "" });
  await promise;
});

test("the same folders are not watched anew; many plugins make the least used give way", (t) => {
  const folders = Array.from({ length: 600 }, (_, index) => `p${index}`);
  const root = tempTree(t, Object.fromEntries(folders.map((folder) => [`${folder}/a.py`, ""])));
  const watcher = new FolderWatcher(silentLog);
  t.after(() => watcher.close());
  const watch = (folder: string) => watcher.watch(folder, [join(root, folder)], () => {});
  assert.equal(watch("p0"), "anew");
  assert.equal(watch("p1"), "anew");
  for (const folder of folders.slice(2)) {
    watch(folder);
    assert.equal(watch("p0"), "as before");
  }
  assert.equal(watch("p1"), "anew", "it had to give way");
});

test("what cannot be watched is no error", (t) => {
  const watcher = new FolderWatcher(silentLog);
  t.after(() => watcher.close());
  assert.equal(
    watcher.watch("a", [join(tempTree(t), "absent")], () => {}),
    "as before",
  );
});
