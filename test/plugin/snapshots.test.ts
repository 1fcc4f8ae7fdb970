import assert from "node:assert/strict";
import {
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { Catalog } from "../../src/plugin/catalog.ts";
import type { LoadedPlugin } from "../../src/plugin/plugin.ts";
import { Snapshots } from "../../src/plugin/snapshots.ts";
import { Trees } from "../../src/plugin/trees.ts";
import { eventually } from "../lifecycle/scratch.ts";
import { FakeInspector } from "./fake-inspector.ts";
import { tempTree, write } from "./temp-tree.ts";

const { signal } = new AbortController();

const files = {
  "p/config.yaml": "name: n\ncode: p\nversion: 1.0.0\n",
  "p/.gitignore": "data/\n",
  "p/plugin/main.py": "V = 1\n",
  "p/run.sh": "true\n",
  "p/data/weights.bin": "w",
  "p/.venv/pyvenv.cfg": "",
  "p/.git/HEAD": "",
  "p/__pycache__/x.pyc": "",
};

test("a snapshot has copies of what counts, and links to the rest", async (t) => {
  const { root, keep } = await open(t, files);
  const { binding, info, kept } = await keep("p");
  assert.ok(kept);
  assert.equal(binding.origin, join(root, "p"));
  assert.equal(info.path, join(root, "p"));
  assert.deepEqual(readdirSync(binding.root).sort(), [
    ".gitignore",
    ".venv",
    "config.yaml",
    "data",
    "plugin",
    "run.sh",
  ]);
  for (const name of [".venv", "data"]) assert.equal(readlinkSync(join(binding.root, name)), join(root, "p", name));
  write(root, { "p/plugin/main.py": "V = 2\n" });
  assert.equal(readFileSync(join(binding.root, "plugin/main.py"), "utf8"), "V = 1\n");
  const times = [binding.root, join(root, "p")].map((folder) => Math.floor(statSync(join(folder, "run.sh")).mtimeMs));
  assert.equal(times[0], times[1]);
});

test("it is made once, and goes when nobody needs it any more", async (t) => {
  const { keep, snapshots, dir, logged } = await open(t, files);
  const [first, second] = await Promise.all([keep("p"), keep("p")]);
  assert.equal(first, second);
  snapshots.release(first.kept ?? "");
  assert.equal(await keep("p"), first);
  snapshots.release(first.kept ?? "");
  snapshots.release(first.kept ?? "");
  await eventually(() => readdirSync(dir).length === 0);
  assert.deepEqual(logged, []);
});

test("what has changed since it was looked up is not kept", async (t) => {
  const { root, snapshots, load, dir } = await open(t, files);
  const plugin = await load("p");
  write(root, { "p/plugin/main.py": "V = 3\n" });
  await assert.rejects(snapshots.keep(plugin), { reason: "PLUGIN_CHANGED" });
  rmSync(join(root, "p"), { recursive: true });
  await assert.rejects(snapshots.keep(plugin), { reason: "PLUGIN_CHANGED" });
  assert.ok(!existsSync(dir) || readdirSync(dir).length === 0);
});

for (const [how, change] of [
  ["is written to", (file: string) => writeFileSync(file, "V = 4\n")],
  ["is removed", (file: string) => rmSync(file)],
] as const) {
  test(`a plugin of which a file ${how} while it is copied is not kept, and nothing of it stays`, async (t) => {
    const trees = new ChangingTrees();
    const { root, snapshots, load, keep, dir } = await open(t, files, trees);
    const plugin = await load("p");
    trees.afterNext = () => change(join(root, "p/plugin/main.py"));
    await assert.rejects(snapshots.keep(plugin), { reason: "PLUGIN_CHANGED" });
    assert.deepEqual(readdirSync(dir), []);
    write(root, { "p/plugin/main.py": "V = 1\n" });
    const { kept = "" } = await keep("p");
    snapshots.release(kept);
    await eventually(() => readdirSync(dir).length === 0);
  });
}

test("a module that stands nowhere in the roots is used as it is", async (t) => {
  const { load, snapshots } = await open(t, files);
  const plugin = await load("json");
  assert.equal(await snapshots.keep(plugin), plugin);
});

test("what a plugin requires is read from its copy, and from where it stood when it names files beside it", async (t) => {
  const { root, keep } = await open(t, {
    ...files,
    ...Object.fromEntries(renamed("p/", "q/").map(([name, text]) => [name, text.replace("code: p", "code: q")])),
    "p/requirements.txt": "tqdm\n",
    "q/requirements.txt": "-r ../shared.txt\n",
    "shared.txt": "tqdm\n",
  });
  const [own, shared] = [await keep("p"), await keep("q")];
  assert.equal(own.requirements?.file, join(own.binding.root, "requirements.txt"));
  assert.equal(shared.requirements?.file, join(root, "q/requirements.txt"));
});

test("another service finds it again, unless nobody claims it before it sweeps", async (t) => {
  const { root, keep, dir, another } = await open(t, files);
  const { kept = "", binding, info } = await keep("p");
  rmSync(join(root, "p"), { recursive: true });
  const next = another();
  next.claim(kept);
  await next.sweep();
  const found = await next.find(kept);
  assert.deepEqual(found?.binding, binding);
  assert.equal(found?.info.version, info.version);
  if (found) await next.check(found);
  await another().sweep();
  assert.deepEqual(readdirSync(dir), []);
});

test("one that a job wrote into is not run from again; what it left behind is moved away", async (t) => {
  const { keep, snapshots, dir, left, logged } = await open(t, files);
  const first = await keep("p");
  writeFileSync(join(first.binding.root, "results.txt"), "42");
  await snapshots.check(first);
  writeFileSync(join(first.binding.root, "plugin/main.py"), "V = 'changed by a job'\n");
  await assert.rejects(snapshots.check(first), { reason: "PLUGIN_CHANGED" });
  const second = await keep("p");
  assert.notEqual(second.binding.root, first.binding.root);
  await snapshots.check(second);
  snapshots.release(first.kept ?? "");
  snapshots.release(second.kept ?? "");
  await eventually(() => readdirSync(dir).length === 0);
  const [place = ""] = readdirSync(left);
  assert.equal(readFileSync(join(left, place, "p/results.txt"), "utf8"), "42");
  assert.deepEqual(logged, ["jobs wrote files into the plugin's directory instead of their own; they were moved"]);
});

test("copies in two places are kept apart, with what stands beside each", async (t) => {
  const { root, keep } = await open(t, { ...files, ...Object.fromEntries(renamed("p/", "q/")) });
  const [p, q] = [await keep("./p"), await keep("./q")];
  assert.equal(p.binding.digest, q.binding.digest);
  assert.equal(readlinkSync(join(q.binding.root, "data")), join(root, "q/data"));
});

test("of a module its own files are copied, and its neighbours linked", async (t) => {
  const python = "from plugin_runner import action\n@action\ndef f(): ...\n";
  const { root, keep } = await open(t, {
    "train.py": python,
    "pack/deep.py": python,
    "pack/more.py": "",
    "lib.py": "",
  });
  const train = await keep("train");
  assert.deepEqual(readdirSync(train.binding.root).sort(), ["lib.py", "pack", "train.py"]);
  assert.equal(readlinkSync(join(train.binding.root, "lib.py")), join(root, "lib.py"));
  const deep = await keep("pack.deep");
  assert.deepEqual(readdirSync(join(deep.binding.root, "pack")).sort(), ["deep.py", "more.py"]);
  assert.equal(statSync(join(deep.binding.root, "pack/more.py")).isFile(), true);
});

test("a plugin beyond the limits is used where it stands", async (t) => {
  const { load, limited } = await open(t, files);
  const plugin = await load("p");
  const small = limited({ maxBytes: 10, maxFiles: 100 });
  assert.equal(await small.keep(plugin), plugin);
  assert.equal(await limited({ maxBytes: 1e6, maxFiles: 3 }).keep(plugin), plugin);
  await small.check(plugin);
});

test("a JavaScript plugin keeps the type of its modules and the packages above it", async (t) => {
  const { root, dir, left, snapshots, keep } = await open(t, {
    "package.json": '{"type": "commonjs"}',
    "p/config.yaml": 'name: n\ncode: p\nactions: {a: {entrypoint: "./a.js#a"}}\n',
    "p/a.js": "exports.a = () => 1;\n",
  });
  const { binding, kept } = await keep("p");
  assert.equal(readFileSync(join(binding.root, "../package.json"), "utf8"), '{"type":"commonjs"}');
  assert.equal(binding.packages, join(root, "p/node_modules"));
  snapshots.release(kept ?? "");
  await eventually(() => readdirSync(dir).length === 0);
  assert.equal(existsSync(left), false); // no job wrote that
});

test("one whose manifest was written half is not there, and is removed as any other", async (t) => {
  const { keep, dir, another } = await open(t, files);
  const { kept = "" } = await keep("p");
  writeFileSync(join(dir, `${kept}.json`), '{"info": {"co');
  const next = another();
  assert.equal(await next.find(kept), undefined);
  await next.sweep();
  assert.deepEqual(readdirSync(dir), []);
});

/** Something happens to the files right after they were read. */
class ChangingTrees extends Trees {
  afterNext: (() => void) | undefined;

  override async read(...args: Parameters<Trees["read"]>) {
    const tree = await super.read(...args);
    this.afterNext?.();
    this.afterNext = undefined;
    return tree;
  }
}

async function open(t: TestContext, content: Readonly<Record<string, string>>, trees = new Trees()) {
  const root = tempTree(t, content);
  const data = tempTree(t);
  const logged: string[] = [];
  const log = (_: unknown, message: string) => void logged.push(message);
  const catalog = new Catalog({ roots: [root], allowModules: ["json"], inspector: new FakeInspector(), trees });
  t.after(() => catalog.close());
  const dir = join(data, "snapshots");
  const left = join(data, "left");
  const options = { dir, leftBehind: left, compiled: join(data, "pycache"), trees, log };
  const snapshots = new Snapshots(options);
  const load = (reference: string): Promise<LoadedPlugin> => catalog.load(reference, signal);
  mkdirSync(dir);
  return {
    root,
    dir,
    left,
    logged,
    snapshots,
    load,
    keep: async (reference: string) => snapshots.keep(await load(reference)),
    another: () => new Snapshots(options),
    limited: (limits: { maxBytes: number; maxFiles: number }) =>
      new Snapshots({ ...options, dir: join(data, "limited"), limits }),
  };
}

function renamed(from: string, to: string): [string, string][] {
  return Object.entries(files).map(([name, text]) => [name.replace(from, to), text]);
}
