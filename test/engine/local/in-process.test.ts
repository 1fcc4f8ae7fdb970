import assert from "node:assert/strict";
import { test } from "node:test";
import { Environments } from "../../../src/engine/embedded/environment.ts";
import { InProcess } from "../../../src/engine/local/in-process.ts";
import { Catalog } from "../../../src/plugin/catalog.ts";
import { Trees } from "../../../src/plugin/trees.ts";
import { silentLog } from "../../../src/util/log.ts";
import { RunArtifacts } from "../../../src/worker/run-artifacts.ts";
import { FakeInspector } from "../../plugin/fake-inspector.ts";
import { tempTree, write } from "../../plugin/temp-tree.ts";

test("code that has changed since it was looked up is not run", async (t) => {
  const root = tempTree(t, {
    "p/config.yaml": 'name: n\ncode: p\nactions: {a: {entrypoint: "./a.js#a", params: {type: object}}}\n',
    "p/a.js": "export const a = () => 1;\n",
  });
  const dir = tempTree(t);
  const trees = new Trees();
  const catalog = new Catalog({ roots: [root], allowModules: [], inspector: new FakeInspector(), trees });
  t.after(() => catalog.close());
  const environments = new Environments({ dir, python: async () => "" });
  const artifacts = new RunArtifacts({ dir, keepMs: 1000, log: silentLog });
  t.after(() => artifacts.close());
  const { signal } = new AbortController();
  const find = async () => catalog.action(await catalog.load("p", signal), "a", "", signal);
  const pool = new InProcess({
    dir,
    environments,
    trees,
    artifacts,
    passedEnv: {},
    loadTimeoutMs: 120_000,
    maxRunning: 1,
    log: silentLog,
  });
  const task = { params: { value: {}, nonFinite: [] }, env: {}, jobId: "" };
  const before = await find();
  write(root, { "p/a.js": "export const a = () => 2;\n" });
  await assert.rejects(pool.run({ ...task, action: before }, signal), { reason: "PLUGIN_CHANGED" });
  catalog.forget("p");
  assert.equal((await pool.run({ ...task, action: await find() }, signal)).value, 2);
});
