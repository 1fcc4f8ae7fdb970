import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { chmodSync, utimesSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { Dashboard } from "../../../src/engine/ray/dashboard.ts";
import { libraryFiles, pluginFiles } from "../../../src/engine/ray/package-files.ts";
import { packFiles } from "../../../src/engine/ray/package-zip.ts";
import { Packages } from "../../../src/engine/ray/packages.ts";
import { Catalog } from "../../../src/plugin/catalog.ts";
import type { LoadedPlugin } from "../../../src/plugin/plugin.ts";
import { silentLog } from "../../../src/util/log.ts";
import { FakeInspector } from "../../plugin/fake-inspector.ts";
import { tempTree, write } from "../../plugin/temp-tree.ts";
import { FakeDashboard, type Reaction, type Seen } from "../../support/fake-dashboard.ts";
import { patience } from "../../support/limits.ts";

const config = "name: P\ncode: p\nactions: {run: {entrypoint: 'plugin:run', params: {}}}\n";
const tree = { "p/config.yaml": config, "p/plugin.py": "def run(): pass\n", "p/data/é.txt": "text\n" };

test("the same content makes the same package, whenever and wherever it was written", async (t) => {
  const [one, other] = [tempTree(t, tree), tempTree(t, tree)];
  utimesSync(join(other, "p/plugin.py"), 1, 1);
  const packed = await packFiles("p", await pluginFiles(await load(t, one)));
  assert.deepEqual(await packFiles("p", await pluginFiles(await load(t, other))), packed);
  assert.match(packed.name, /^_ray_pkg_[0-9a-f]{16}\.zip$/);
  writeFileSync(join(other, "p/plugin.py"), "def run(): return 1\n");
  assert.notEqual((await packFiles("p", await pluginFiles(await load(t, other)))).name, packed.name);
});

test("a package is read by others, with names, content and what can be executed", async (t) => {
  const root = tempTree(t, { ...tree, "p/tool.sh": "#!/bin/sh\n", "p/empty": "" });
  chmodSync(join(root, "p/tool.sh"), 0o755);
  const { content } = await packFiles("p", await pluginFiles(await load(t, root)));
  assert.deepEqual(unzip(t, content), {
    "config.yaml": [config, 0o644],
    "data/é.txt": ["text\n", 0o644],
    empty: ["", 0o644],
    "plugin.py": ["def run(): pass\n", 0o644],
    "tool.sh": ["#!/bin/sh\n", 0o755],
  });
});

test("what the ignore files name does not travel, nor what is never part of a plugin", async (t) => {
  const root = tempTree(t, {
    ...tree,
    "p/.pluginrunnerignore": "data/\n",
    "p/.env": "SECRET=1\n",
    "p/node_modules/x/index.js": "",
  });
  const names = (await pluginFiles(await load(t, root))).map(({ name }) => name);
  assert.deepEqual(names.sort(), [".pluginrunnerignore", "config.yaml", "plugin.py"]);
});

test("a module travels with the top folder that it stands in, and nothing beside that", async (t) => {
  const source = "from plugin_runner import action\n\n@action\ndef run(): pass\n";
  const root = tempTree(t, { "mine/a/b.py": source, "mine/c.py": "", "other/d.py": "", "single.py": source });
  const names = async (reference: string) =>
    (await pluginFiles(await load(t, root, reference))).map(({ name }) => name);
  assert.deepEqual((await names("mine.a.b")).sort(), ["mine/a/b.py", "mine/c.py"]);
  assert.deepEqual(await names("single"), ["single.py"]);
});

test("a package that is too large is PLUGIN_INVALID, with the limit and the largest files", async (t) => {
  const noise = Array.from({ length: 3000 }, () => Math.random()).join();
  const root = tempTree(t, { ...tree, "p/model.bin": noise });
  const packing = packFiles("Plugin p", await pluginFiles(await load(t, root)), 2000);
  await assert.rejects(packing, (error) => {
    assert.ok(error instanceof Error && "metadata" in error && "reason" in error);
    assert.equal(error.reason, "PLUGIN_INVALID");
    assert.match(JSON.stringify(error.metadata), /"limit_bytes":"2000","largest_files":"model.bin \(/);
    return true;
  });
});

test("the library has what Python and Node workers are made of", () => {
  const names = libraryFiles().map(({ name }) => name);
  for (const name of ["ray_job.py", "supervisor.py", "_node/package.json", "_node/src/runtime/job.ts"]) {
    assert.ok(names.includes(`plugin_runner/${name}`), name);
  }
  assert.deepEqual(
    names.filter((name) => /__pycache__|grpc|engine/.test(name)),
    [],
  );
});

/** What a dashboard says of a package that it does not have. */
const absent = "Package gcs://a.zip does not exist";

test("a package is uploaded once, however many want it, and is asked for before each use", async (t) => {
  const stored = new Set<string>();
  const { packages, fake } = await open(t, ({ method, path }) => {
    if (method === "PUT") stored.add(path);
    return { status: stored.has(path) ? 200 : 404, body: absent };
  });
  const plugin = await load(t, tempTree(t, tree));
  const signal = patience();
  const uris = await Promise.all([1, 2, 3].map(() => packages.plugin(plugin, signal)));
  assert.match(uris[0] ?? "", /^gcs:\/\/_ray_pkg_[0-9a-f]{16}\.zip$/);
  assert.equal(new Set(uris).size, 1);
  assert.equal(fake.count("PUT", /./), 1);
  const asked = fake.count("GET", /./);
  await packages.plugin(plugin, signal);
  assert.equal(fake.count("GET", /./), asked + 1);
  stored.clear(); // the cluster was started anew
  await packages.plugin(plugin, signal);
  assert.equal(fake.count("PUT", /./), 2);
});

test("files that are no longer those of a plugin's digest are not packed under its name", async (t) => {
  const { packages, fake } = await open(t, () => ({ status: 404, body: absent }));
  const root = tempTree(t, tree);
  const plugin = await load(t, root);
  write(root, { "p/more.py": "new" });
  await assert.rejects(packages.plugin(plugin, patience()), { reason: "PLUGIN_CHANGED" });
  assert.equal(fake.count("PUT", /./), 0);
});

test("a dashboard that takes no package of this size makes it PLUGIN_INVALID", async (t) => {
  const { packages } = await open(t, ({ method }) => ({ status: method === "PUT" ? 413 : 404, body: absent }));
  const plugin = await load(t, tempTree(t, tree));
  await assert.rejects(packages.plugin(plugin, patience()), { reason: "PLUGIN_INVALID" });
});

async function load(t: TestContext, root: string, reference = "p"): Promise<LoadedPlugin> {
  const catalog = new Catalog({ roots: [root], allowModules: [], inspector: new FakeInspector() });
  t.after(() => catalog.close());
  return catalog.load(reference, patience());
}

async function open(t: TestContext, react: (seen: Seen) => Reaction) {
  const fake = await FakeDashboard.start(react);
  const dashboard = new Dashboard({ address: fake.address, log: silentLog });
  t.after(async () => {
    await dashboard.close();
    await fake[Symbol.asyncDispose]();
  });
  return { packages: new Packages({ dashboard }), fake };
}

/** What Python, which unpacks it on a cluster, sees in an archive. */
function unzip(t: TestContext, content: Buffer): Record<string, [string, number]> {
  const file = join(tempTree(t), "package.zip");
  writeFileSync(file, content);
  const program = `
import json, sys, zipfile
archive = zipfile.ZipFile(sys.argv[1])
assert archive.testzip() is None
print(json.dumps({i.filename: [archive.read(i).decode(), i.external_attr >> 16 & 0o777] for i in archive.infolist()}))
`;
  return JSON.parse(execFileSync("python3", ["-c", program, file], { encoding: "utf8" }));
}
