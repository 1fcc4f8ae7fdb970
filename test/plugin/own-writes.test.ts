import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { Catalog } from "../../src/plugin/catalog.ts";
import { Snapshots } from "../../src/plugin/snapshots.ts";
import { Trees } from "../../src/plugin/trees.ts";
import { silentLog } from "../../src/util/log.ts";
import { eventually } from "../lifecycle/scratch.ts";
import { FakeInspector } from "./fake-inspector.ts";
import { tempTree, write } from "./temp-tree.ts";

const { signal } = new AbortController();

test("a file that each run writes makes no version, whatever is in it", async (t) => {
  const { load, run } = open(t);
  const first = await load("write");
  for (const text of ["a", "b", "b", "a", "longer"]) {
    await run("write", { "out.txt": text });
    assert.equal(await load("write"), first, text);
  }
});

test("neither do files of ever new names", async (t) => {
  const { load, run } = open(t);
  const first = await load("write");
  for (const number of [1, 2, 3, 4]) {
    await run("write", { [`outs/${number}.png`]: "x" });
    assert.equal(await load("write"), first, `${number}`);
  }
});

test("a file that was there counts when a run changes it, and no more from the second run on", async (t) => {
  const { load, run } = open(t, { "log.txt": "old" });
  const first = await load("write");
  await run("write", { "log.txt": "1" });
  const second = await load("write");
  assert.notEqual(second, first);
  for (const text of ["1 2", "1 2 3"]) {
    await run("write", { "log.txt": text });
    assert.equal(await load("write"), second);
  }
});

test("what somebody else writes counts, before, between and after runs, and also while one is under way", async (t) => {
  const { load, run, edit, begin } = open(t, { "data.json": "[]" });
  const versions = [await load("write")];
  const changed = async (what: string) => {
    const next = await load("write");
    assert.ok(!versions.includes(next), what);
    versions.push(next);
  };
  edit({ "data.json": "[1]" });
  await changed("before any run");
  for (const text of ["a", "b"]) await run("write", { "out.txt": text });
  edit({ "out.txt": "by hand" });
  await changed("the output, after its run");
  const end = begin("write");
  edit({ "data.json": "[1, 2]" });
  await changed("data, while a run is under way");
  end();
  const other = begin("write");
  edit({ "plugin/more.py": "N = 1" });
  await changed("code, while a run is under way");
  other();
});

test("a file that came amid a run, and that no later run writes, counts after one that left it alone", async (t) => {
  const { load, run, edit, begin } = open(t);
  const first = await load("write");
  const end = begin("write");
  edit({ "labels.txt": "a b" });
  assert.equal(await load("write"), first);
  end();
  await eventually(async () => {
    await run("write", { "out.txt": `${performance.now()}` });
    return (await load("write")) !== first;
  });
});

test("another action has a version of its own once one has written what it may have read", async (t) => {
  const { load, run } = open(t);
  const first = await load("predict");
  await run("train", { "model.bin": "1" });
  const second = await load("predict");
  assert.notEqual(second, first);
  await run("train", { "model.bin": "2" });
  assert.equal(await load("train"), second);
  assert.notEqual(await load("predict"), second);
});

test("where several actions run at a time, nobody's file counts", async (t) => {
  const { load, edit, begin } = open(t);
  const first = await load("write");
  const ends = [begin("write"), begin("predict")];
  edit({ "out.txt": "a" });
  assert.notEqual(await load("write"), first);
  for (const end of ends) end();
});

test("a snapshot has what runs have written, as it is then", async (t) => {
  const { load, run, keep } = open(t);
  const kept = [];
  for (const text of ["a", "b"]) {
    await run("write", { "out.txt": text });
    const { binding, info } = await keep(await load("write"));
    assert.equal(readFileSync(join(binding.root, "out.txt"), "utf8"), text);
    kept.push(info.digest);
  }
  assert.equal(kept[0], kept[1]);
});

test("the log says once in a while which files made the workers of a plugin go", async (t) => {
  const { load, run, edit, logged } = open(t, { "a.txt": "", "b.txt": "", "c.txt": "", "d.txt": "" });
  await load("write");
  edit({ "a.txt": "1" });
  await load("write");
  assert.deepEqual(logged, []);
  await run("write", {});
  edit({ "a.txt": "2", "b.txt": "2", "c.txt": "2", "d.txt": "2" });
  await load("write");
  edit({ "a.txt": "3" });
  await load("write");
  assert.deepEqual(logged, [{ plugin: "own", files: ["a.txt", "b.txt", "c.txt"], count: 4 }]);
});

function open(t: TestContext, files: Readonly<Record<string, string>> = {}) {
  const root = tempTree(t);
  const data = tempTree(t);
  const logged: unknown[] = [];
  const trees = new Trees();
  const log = (level: string, _: string, fields: unknown) => void (level === "info" && logged.push(fields));
  const catalog = new Catalog({ roots: [root], allowModules: [], inspector: new FakeInspector(), trees, log });
  t.after(() => catalog.close());
  const snapshots = new Snapshots({
    dir: join(data, "snapshots"),
    leftBehind: join(data, "left"),
    compiled: join(data, "pycache"),
    trees,
    log: silentLog,
  });
  const edit = (changed: Readonly<Record<string, string>>) => write(join(root, "own"), changed);
  edit({ "config.yaml": "name: Own\ncode: own\n", "plugin/main.py": "", ...files });
  const load = (action: string) => {
    catalog.forget("own"); // as the watcher of its directory does, a little later
    return catalog.load("own", signal, action);
  };
  return {
    load,
    edit,
    logged,
    keep: (plugin: Awaited<ReturnType<typeof load>>) => snapshots.keep(plugin),
    begin: (action: string) => trees.begin(join(root, "own"), action),
    /** As the runner does: looks the plugin up, and runs an action of it that writes files. */
    async run(action: string, written: Readonly<Record<string, string>>) {
      const end = catalog.begin(await load(action), action);
      edit(written);
      end();
    },
  };
}
