import assert from "node:assert/strict";
import { renameSync, rmSync, symlinkSync } from "node:fs";
import { dirname, join, relative } from "node:path";
import { type TestContext, test } from "node:test";
import { PluginRunnerError } from "../../src/errors.ts";
import { Catalog } from "../../src/plugin/catalog.ts";
import { packageRoot } from "../../src/util/package-root.ts";
import { FakeInspector } from "./fake-inspector.ts";
import { tempTree, write } from "./temp-tree.ts";

const { signal } = new AbortController();

const digits = {
  "digits/config.yaml":
    "name: Digits\ncode: digits\nversion: 1.0.0\nactions: {train: {entrypoint: 'plugin.train:Train'}}\n",
  "digits/plugin/train.py": "class Train: pass\n",
};

const python = "from plugin_runner import action\n\n@action\ndef greet(): ...\n";

function open(t: TestContext, files: Readonly<Record<string, string>>, allowModules: string[] = []) {
  const root = tempTree(t, files);
  const inspector = new FakeInspector();
  const catalog = new Catalog({ roots: [root], allowModules, inspector });
  t.after(() => catalog.close());
  return { root, inspector, catalog };
}

async function refusal(catalog: Catalog, reference: string): Promise<PluginRunnerError> {
  try {
    await catalog.load(reference, signal);
  } catch (error) {
    if (error instanceof PluginRunnerError) return error;
    throw error;
  }
  assert.fail(`${reference} was not refused`);
}

test("a plugin is found by its code, its folder, its file, and by a path from the root", async (t) => {
  const { root, catalog } = open(t, digits);
  const plugin = await catalog.load("digits", signal);
  for (const path of [
    join(root, "digits"),
    join(root, "digits/config.yaml"),
    "./digits",
    "digits/",
    "digits/../digits",
  ]) {
    assert.equal(await catalog.load(path, signal), plugin, path);
  }
  assert.deepEqual(plugin.binding, {
    language: "python",
    code: "digits",
    root: join(root, "digits"),
    module: "",
    digest: plugin.info.digest,
    env: {},
    packages: "",
  });
});

test("of several versions the highest is meant, and @version means exactly that one", async (t) => {
  const config = (version: string) => `name: n\ncode: digits\nversion: ${version}\n`;
  const { catalog } = open(t, {
    "a/config.yaml": config("1.9.0"),
    "b/config.yaml": config("1.10.0"),
    "c/config.yaml": config("1.10.0-rc.1"),
  });
  assert.equal((await catalog.load("digits", signal)).info.version, "1.10.0");
  assert.equal((await catalog.load("digits@1.9.0", signal)).info.version, "1.9.0");
  const error = await refusal(catalog, "digits@2");
  assert.equal(error.reason, "PLUGIN_NOT_FOUND");
  assert.equal(error.metadata.available, "1.10.0, 1.10.0-rc.1, 1.9.0");
});

test("a module path is found under the roots, in either language, as file and as package", async (t) => {
  const { root, catalog } = open(t, {
    "my_plugins/yolov8.py": python,
    "my_plugins/pose/__init__.py": python,
    "tools/resize.ts": "",
    "tools/crop/index.js": "",
  });
  for (const [reference, module, language] of [
    ["my_plugins.yolov8", "my_plugins.yolov8", "python"],
    ["my_plugins.pose", "my_plugins.pose", "python"],
    ["tools.resize", "./tools/resize.ts", "javascript"],
    ["tools.crop", "./tools/crop/index.js", "javascript"],
  ] as const) {
    const { binding, info } = await catalog.load(reference, signal);
    assert.deepEqual([binding.root, binding.module, binding.language], [root, module, language]);
    assert.equal(info.code, reference);
  }
});

test("a module from elsewhere has to be allowed by name", async (t) => {
  const { catalog } = open(t, {}, ["installed"]);
  assert.equal((await catalog.load("installed.models", signal)).binding.root, "");
  const error = await refusal(catalog, "installed_too");
  assert.equal(error.reason, "PLUGIN_NOT_FOUND");
  assert.match(error.message, /--allow-module/);
});

test("an unknown name gets the names there are, and the nearest", async (t) => {
  const { catalog } = open(t, { ...digits, "hello.py": python });
  const { reason, message, metadata } = await refusal(catalog, "digit");
  assert.equal(reason, "PLUGIN_NOT_FOUND");
  assert.equal(message, "There is no plugin digit. Did you mean digits?");
  const module = open(t, { "helpers.py": "from plugin_runner import action\n@action\ndef help(): pass\n" }).catalog;
  const versioned = await refusal(module, "helpers@1.0.0");
  assert.equal(versioned.message, "There is no plugin helpers@1.0.0. Did you mean helpers?");
  assert.deepEqual(metadata, { plugin: "digit", available: "digits, hello", nearest: "digits" });
});

test("a path out of the roots is refused, and says nothing of what is there", async (t) => {
  const outside = tempTree(t, { "config.yaml": "name: n\ncode: outside\n", "hello.py": python });
  const { root, catalog } = open(t, { "inside/file.txt": "" });
  symlinkSync(outside, join(root, "link"));
  symlinkSync(join(outside, "absent"), join(root, "dangling"));
  symlinkSync(join(outside, "hello.py"), join(root, "hello.py"));
  for (const reference of [
    outside,
    join(outside, "config.yaml"),
    join(outside, "absent"),
    relative(root, outside),
    `${relative(root, outside)}/absent`,
    join(root, "link"),
    "link/config.yaml",
    "link/absent",
    "dangling/",
    "/",
    "../",
    "inside\0/../../etc",
    "hello",
  ]) {
    assert.equal((await refusal(catalog, reference)).reason, "PATH_FORBIDDEN", reference);
  }
  for (const reference of ["inside/absent", join(root, "absent.yaml"), "inside/file.txt"]) {
    assert.equal((await refusal(catalog, reference)).reason, "PLUGIN_NOT_FOUND", reference);
  }
  assert.equal((await refusal(catalog, "./inside")).reason, "PLUGIN_INVALID");
  assert.deepEqual(await catalog.list(signal), []);
});

test("a configuration that is a link is read only inside the roots", async (t) => {
  const outside = tempTree(t, { "config.yaml": "name: n\ncode: stolen\n" });
  const { root, catalog } = open(t, { "shared/any.yaml": "name: n\ncode: shared\n", "a/x.py": "", "b/x.py": "" });
  symlinkSync(join(outside, "config.yaml"), join(root, "a/config.yaml"));
  symlinkSync("../shared/any.yaml", join(root, "b/config.yaml"));
  assert.equal((await catalog.load("shared", signal)).info.code, "shared");
  assert.equal((await refusal(catalog, "stolen")).reason, "PLUGIN_NOT_FOUND");
  assert.equal((await refusal(catalog, "./a")).reason, "PATH_FORBIDDEN");
  // By the name of its folder, as it is listed.
  const error = await refusal(catalog, "a");
  assert.equal(error.reason, "PLUGIN_INVALID");
  assert.doesNotMatch(error.message, /stolen/);
});

test("an action whose file is a link out of its plugin cannot be run", async (t) => {
  const outside = tempTree(t, { "main.py": "def a(): return 'stolen'\n" });
  const { root, catalog } = open(t, {
    "linked/config.yaml": "name: n\ncode: linked\nactions: { a: { entrypoint: main.a } }\n",
  });
  symlinkSync(join(outside, "main.py"), join(root, "linked/main.py"));
  const { info } = await catalog.load("linked", signal);
  assert.deepEqual(info.actions, []);
  assert.match(info.issues[0]?.message ?? "", /leads out of the plugin's folder/);
});

test("what was loaded is there at once, until a file changes; the old version stays as it is", async (t) => {
  const { root, catalog } = open(t, digits);
  const old = await catalog.load("digits", signal);
  await catalog.load("digits", signal);
  assert.equal(catalog.peek("digits"), old);
  const { digest } = old.info;

  write(root, { "digits/plugin/train.py": "class Train: 'changed'\n" });
  while (catalog.peek("digits") !== undefined) await new Promise((resolve) => setImmediate(resolve));
  const changed = await catalog.load("digits", signal);
  assert.notEqual(changed.info.digest, digest);
  assert.equal(old.info.digest, digest);
});

test("files that do not belong to the plugin change nothing", async (t) => {
  const { root, catalog } = open(t, { ...digits, "digits/.pluginrunnerignore": "*.log\ndata/\n" });
  const before = await catalog.load("digits", signal);
  write(root, {
    "digits/plugin/__pycache__/train.pyc": "",
    "digits/node_modules/a/index.js": "",
    "digits/.git/HEAD": "",
    "digits/out.log": "",
    "digits/data/images.bin": "",
  });
  await catalog.list(signal);
  assert.equal(await catalog.load(join(root, "digits"), signal), before);
});

test("the same content has the same digest, wherever it stands", async (t) => {
  const first = await open(t, digits).catalog.load("digits", signal);
  const second = await open(t, digits).catalog.load("digits", signal);
  assert.equal(first.info.digest, second.info.digest);
});

test("a list shows every plugin, nested ones and modules too, and what is wrong with the broken", async (t) => {
  const { catalog, inspector } = open(t, {
    ...digits,
    "digits/plugin/inner/config.yaml": "name: n\ncode: inner\n",
    "team/vision/ocr/config.yml": "name: n\ncode: ocr\nactions: {read: {entrypoint: ./read.ts}}\n",
    "team/vision/ocr/read.ts": "",
    "a/b/c/d/config.yaml": "name: n\ncode: too-deep\n",
    "broken/config.yaml": "name: x\n",
    "hello.py": python,
    "plain.py": "print('no action')\n",
    "greet.ts": 'export const greet = defineAction({\n  name: "hi",\n',
    "node_modules/x/index.js": "defineAction({",
    ".hidden/hello.py": python,
  });
  inspector.scanned = [{ name: "greet", description: "Greets.", entrypoint: "hello:greet", line: 3 }];
  const plugins = await catalog.list(signal);
  assert.deepEqual(
    plugins.map(({ code, actions, issues }) => [code, actions.map((action) => action.name), issues.length]),
    [
      ["broken", [], 1],
      ["digits", ["train"], 0],
      ["greet", ["hi"], 0],
      ["hello", ["greet"], 0],
      ["ocr", ["read"], 0],
    ],
  );
  assert.deepEqual([plugins[0]?.issues[0]?.line, plugins[0]?.issues[0]?.file], [1, "config.yaml"]);
  assert.deepEqual(inspector.asked, ["scan hello"], "nothing is loaded, and what is configured is not even scanned");
});

test("the plugins of the examples and fixtures load without an issue", async (t) => {
  const roots = ["examples/plugins", "test/fixtures/plugins"].map((path) => join(packageRoot, path));
  const catalog = new Catalog({ roots, allowModules: [], inspector: new FakeInspector() });
  t.after(() => catalog.close());
  const plugins = new Map((await catalog.list(signal)).map((plugin) => [plugin.code, plugin]));
  for (const code of ["digits", "tables", "echo", "typed", "greet"]) {
    assert.deepEqual(plugins.get(code)?.issues, [], code);
  }
});

test("a file that cannot be read spoils its own plugin only", { skip: process.platform !== "linux" }, async (t) => {
  const { root, catalog } = open(t, { ...digits, "odd/config.yaml": "name: n\ncode: odd\n" });
  symlinkSync("/proc/self/mem", join(root, "odd/mem"));
  const [first, second] = await catalog.list(signal);
  assert.deepEqual([first?.code, first?.issues.length], ["digits", 0]);
  assert.match(second?.issues[0]?.message ?? "", /odd\/mem cannot be read/);
});

test("a list follows what comes and goes", async (t) => {
  const { root, catalog } = open(t, digits);
  const codes = async () => (await catalog.list(signal)).map((plugin) => plugin.code);
  assert.deepEqual(await codes(), ["digits"]);
  write(root, { "new/config.yaml": "name: n\ncode: new\n" });
  assert.deepEqual(await codes(), ["digits", "new"]);
  rmSync(join(root, "digits"), { recursive: true });
  assert.deepEqual(await codes(), ["new"]);
  assert.equal((await refusal(catalog, "digits")).reason, "PLUGIN_NOT_FOUND");
});

test("a new version of a plugin is meant from then on", async (t) => {
  const { root, catalog } = open(t, digits);
  await catalog.load("digits", signal);
  write(root, { "next.tmp": "name: n\ncode: digits\nversion: 2.0.0\n", "next/x.py": "" });
  renameSync(join(root, "next.tmp"), join(root, "next/config.yaml"));
  await catalog.list(signal);
  assert.equal((await catalog.load("digits@2.0.0", signal)).info.version, "2.0.0");
});

test("what two plugins are called is neither's name: both have an issue, and each is found by its path", async (t) => {
  const { root, catalog } = open(t, {
    ...digits,
    "digits_copy/config.yaml": digits["digits/config.yaml"],
    "later/config.yaml": "name: n\ncode: digits\nversion: 0.9.0\n",
  });
  const error = await refusal(catalog, "digits");
  assert.equal(error.reason, "PLUGIN_INVALID");
  assert.equal(error.metadata.candidates, `${join(root, "digits")}, ${join(root, "digits_copy")}`);
  assert.equal((await refusal(catalog, "digits@1.0.0")).reason, "PLUGIN_INVALID");
  assert.equal((await catalog.load("digits@0.9.0", signal)).info.path, join(root, "later"));
  const listed = await catalog.list(signal);
  const issues = listed.map(({ path, issues }) => [
    path,
    issues.filter(({ message }) => /name of/.test(message)).length,
  ]);
  assert.deepEqual(issues, [
    [join(root, "digits"), 1],
    [join(root, "digits_copy"), 1],
    [join(root, "later"), 0],
  ]);
  assert.equal((await catalog.load("./digits_copy", signal)).info.path, join(root, "digits_copy"));
});

test("a module of one name in two roots, or as file and package, or beside a code, is not chosen by order", async (t) => {
  const roots = [
    tempTree(t, { "train.py": python, "both.py": python, "both/__init__.py": python, "mixed.ts": "", "mixed.js": "" }),
    tempTree(t, { "train.py": python, "p/config.yaml": "name: n\ncode: coded\n", "coded.py": python }),
  ];
  const catalog = new Catalog({ roots, allowModules: [], inspector: new FakeInspector() });
  t.after(() => catalog.close());
  for (const name of ["train", "both", "mixed", "coded"]) {
    const { reason, metadata } = await refusal(catalog, name);
    assert.deepEqual([reason, metadata.candidates?.split(", ").length], ["PLUGIN_INVALID", 2], name);
  }
  const listed = await catalog.list(signal);
  const clear = listed.filter(({ issues }) => issues.length === 0).map(({ code }) => code);
  assert.deepEqual([listed.length, clear], [6, []]);
});

test("a plugin whose folder was just moved is found by its code", async (t) => {
  const { root, catalog } = open(t, digits);
  for (const [from, to] of [
    ["digits", "moved"],
    ["moved", "digits"],
  ] as const) {
    assert.equal((await catalog.load("digits", signal)).info.path, join(root, from));
    renameSync(join(root, from), join(root, to));
    catalog.forget("digits");
  }
});

test("a version that was just replaced in its folder is not taken for the one that is asked for", async (t) => {
  const { root, catalog } = open(t, digits);
  const old = await catalog.load("digits@1.0.0", signal);
  write(root, { "digits/config.yaml": digits["digits/config.yaml"].replace("1.0.0", "2.0.0") });
  assert.equal((await catalog.load("./digits", signal)).info.version, "2.0.0");
  assert.equal(old.info.version, "1.0.0");
  const { reason, metadata } = await refusal(catalog, "digits@1.0.0");
  assert.deepEqual([reason, metadata.available], ["PLUGIN_NOT_FOUND", "2.0.0"]);
});

test("a caller that leaves does not end what others wait for", async (t) => {
  const { catalog } = open(t, digits);
  const leaving = new AbortController();
  const left = catalog.load("digits", leaving.signal);
  const stayed = catalog.load("digits", signal);
  leaving.abort(new Error("left"));
  await assert.rejects(left, { message: "left" });
  assert.equal((await stayed).info.code, "digits");
});

test("a root that is no folder is refused", () => {
  const inspector = new FakeInspector();
  const roots = [join(dirname(import.meta.filename), "absent")];
  assert.throws(() => new Catalog({ roots, allowModules: [], inspector }), { reason: "REQUEST_INVALID" });
});

test("of the many names that callers can make up below an allowed module, only so many are remembered", async (t) => {
  const { catalog } = open(t, {}, ["json"]);
  const first = await catalog.load("json.m0", signal);
  assert.equal(await catalog.load("json.m0", signal), first);
  for (let number = 1; number <= 1000; number++) await catalog.load(`json.m${number}`, signal);
  assert.notEqual(await catalog.load("json.m0", signal), first);
});

test("a module that is called as one of Python's standard library is refused, and listed with the reason", async (t) => {
  const { catalog } = open(t, { "random.py": python, "code/main.py": python, "pack/random.py": python });
  assert.match((await refusal(catalog, "random")).message, /random is a module of Python's standard library/);
  assert.equal((await refusal(catalog, "code.main")).reason, "PLUGIN_INVALID");
  assert.equal((await catalog.load("pack.random", signal)).info.code, "pack.random");
  const issues = (await catalog.list(signal)).map(({ code, issues }) => [code, issues.length]);
  assert.deepEqual(issues, [
    ["code.main", 1],
    ["pack.random", 1],
    ["random", 1],
  ]);
});

test("what stands in a plugin's folder and does nothing, or too much, is an issue with its file", async (t) => {
  const config = (code: string) => `name: n\ncode: ${code}\nactions: {a: {entrypoint: "main:a"}}\n`;
  const { catalog } = open(t, {
    "hides/config.yaml": config("hides"),
    "hides/main.py": "",
    "hides/logging.py": "",
    "hides/queue/__init__.py": "",
    "hides/plugin/types.py": "",
    "mixed/config.yaml": config("mixed"),
    "mixed/main.py": python,
    "mixed/index.ts": "export const b = defineAction({ run: () => 1 });",
    "script/config.yaml": 'name: n\ncode: script\nactions: {b: {entrypoint: "./b.js"}}\n',
    "script/b.js": "",
    "script/tools/main.py": python,
    "script/package.json": '{\n  "dependencies": {"left-pad": "1",}\n}',
    "toml/config.yaml": config("toml"),
    "toml/main.py": "",
    "toml/pyproject.toml": '[build-system]\nrequires = ["x"]\n[project]\nname = "p"\ndependencies = [\n  "six",\n]\n',
    "tidy/config.yaml": config("tidy"),
    "tidy/main.py": "",
    "tidy/index.ts": "export const helper = 1;",
    "tidy/pyproject.toml": '[project]\nname = "p"\ndependencies = []\n[tool.ruff]\n',
  });
  const issues = (await catalog.list(signal)).map(({ code, issues }) => [
    code,
    issues.map(({ file, line }) => [file, line]),
  ]);
  assert.deepEqual(Object.fromEntries(issues), {
    hides: [
      ["logging.py", 0],
      ["queue/__init__.py", 0],
    ],
    mixed: [["index.ts", 0]],
    script: [
      ["package.json", 2],
      ["tools/main.py", 0],
    ],
    tidy: [],
    toml: [["pyproject.toml", 5]],
  });
});

test("a file that changes again and again, and is no code, is an issue", async (t) => {
  const { root, catalog } = open(t, { ...digits, "digits/plugin/infer.py": "" });
  const issues = async () => {
    const [plugin] = await catalog.list(signal);
    return plugin?.issues.map(({ file }) => file);
  };
  assert.deepEqual(await issues(), []);
  for (const number of [1, 2, 3]) {
    write(root, { "digits/runs.csv": `${number}`, "digits/plugin/infer.py": `N = ${number}` });
    assert.deepEqual(await issues(), number < 3 ? [] : ["runs.csv"]);
  }
});
