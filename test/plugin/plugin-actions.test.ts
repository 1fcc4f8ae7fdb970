import assert from "node:assert/strict";
import { type TestContext, test } from "node:test";
import type { JsonObject } from "@bufbuild/protobuf";
import { PluginRunnerError } from "../../src/errors.ts";
import { Catalog } from "../../src/plugin/catalog.ts";
import type { LoadedAction } from "../../src/plugin/plugin.ts";
import type { DescribedAction } from "../../src/worker/messages.ts";
import { FakeInspector } from "./fake-inspector.ts";
import { tempTree, write } from "./temp-tree.ts";

const { signal } = new AbortController();

const epochs = { type: "object", properties: { epochs: { type: "integer", default: 3 } } };

const config = `name: Digits
code: digits
actions:
  train:
    entrypoint: plugin.train:Train
    timeout: 10m
    resources: {cpus: 2}
    params: ${JSON.stringify(epochs)}
  infer: {entrypoint: plugin.infer.infer}
  file: {entrypoint: "plugin.infer:file", params: schemas/file.json}
  lost: {entrypoint: "plugin.infer:lost", params: ../secret.json}
  js: {entrypoint: ./x.js}
`;

const digits = {
  "p/config.yaml": config,
  "p/plugin/train.py": "",
  "p/plugin/infer.py": "",
  "p/plugin/pkg/__init__.py": "",
  "p/schemas/file.json": '{\n\t"required": ["path"]\n}',
  "secret.json": "{}",
};

async function open(t: TestContext, files: Readonly<Record<string, string>>, reference: string, allow: string[] = []) {
  const root = tempTree(t, files);
  const inspector = new FakeInspector();
  const catalog = new Catalog({ roots: [root], allowModules: allow, inspector });
  t.after(() => catalog.close());
  const plugin = await catalog.load(reference, signal);
  const find = (name: string, entrypoint = ""): Promise<LoadedAction> =>
    catalog.action(plugin, name, entrypoint, signal);
  const refused = async (name: string, entrypoint = ""): Promise<PluginRunnerError> => {
    const error: unknown = await find(name, entrypoint).then(
      () => undefined,
      (thrown) => thrown,
    );
    assert.ok(error instanceof PluginRunnerError, `${name} ${entrypoint} was not refused`);
    return error;
  };
  return { root, inspector, catalog, plugin, find, refused };
}

function described(name: string, entrypoint: string, more: Partial<DescribedAction> = {}): DescribedAction {
  return { name, entrypoint, description: "", params_schema: null, result_schema: null, ...more };
}

test("an action of the configuration is found without asking anybody, and at once the second time", async (t) => {
  const { inspector, catalog, plugin, find } = await open(t, digits, "digits");
  const train = await find("train");
  assert.deepEqual([train.entrypoint, train.timeoutMs, train.resources?.cpus], ["plugin.train:Train", 600_000, 2]);
  const params = {};
  train.validator?.(params);
  assert.deepEqual(params, { epochs: 3 });
  assert.equal(catalog.peekAction(plugin, "train", ""), train);
  assert.equal((await find("infer")).validator, undefined, "in Python, the action's own code has the last word");
  assert.deepEqual(inspector.asked, []);
});

test("nothing is found by its title, and who asks for one is told the name", async (t) => {
  const text = 'name: n\ncode: c\nactions: {train: {name: Training run, entrypoint: "m:Train"}}\n';
  const { plugin, refused } = await open(t, { "p/config.yaml": text, "p/m.py": "" }, "c");
  assert.deepEqual([plugin.info.actions[0]?.name, plugin.info.actions[0]?.title], ["train", "Training run"]);
  const error = await refused("Training run");
  assert.equal(error.reason, "ACTION_NOT_FOUND");
  assert.match(error.message, /ask for train/);
  assert.equal(error.metadata.nearest, "train");
});

test("a schema may stand in a file of the plugin, and in no other", async (t) => {
  const { find, refused, plugin } = await open(t, digits, "digits");
  const { validator } = await find("file");
  assert.throws(() => validator?.({}), {
    message: /^1 parameter of digits\/file is invalid: \/params\/path is required/,
  });
  const error = await refused("lost");
  assert.equal(error.reason, "PLUGIN_INVALID");
  assert.match(error.message, /\.\.\/secret\.json is not a file of the plugin/);
  assert.equal(
    plugin.info.issues.some(({ message }) => message.includes("secret.json")),
    true,
  );
});

test("an action in another language than the plugin's is an issue", async (t) => {
  const { plugin, refused } = await open(t, digits, "digits");
  assert.equal((await refused("js")).reason, "PLUGIN_INVALID");
  assert.match(plugin.info.issues.map(({ message }) => message).join(), /js is written in JavaScript/);
});

test("an unknown action gets the names there are, and the nearest, without loading the code", async (t) => {
  const { refused, inspector } = await open(t, digits, "digits");
  const { reason, message, metadata } = await refused("trian");
  assert.equal(reason, "ACTION_NOT_FOUND");
  assert.equal(message, 'The plugin digits has no action trian. Did you mean "train"?');
  assert.deepEqual(metadata, { plugin: "digits", action: "trian", available: "file, infer, train", nearest: "train" });
  assert.deepEqual(inspector.asked, ["scan"]);
});

test("an entry point skips discovery; the configuration's word on it still counts", async (t) => {
  const { find, inspector } = await open(t, digits, "digits");
  assert.equal((await find("", "plugin.train:Other")).name, "Other");
  assert.equal((await find("mine", "plugin.pkg.Action")).name, "mine");
  const train = await find("", "plugin.train:Train");
  assert.deepEqual([train.name, train.timeoutMs], ["train", 600_000]);
  assert.deepEqual(inspector.asked, []);
});

test("an entry point has to be the plugin's own, or of a module that is allowed", async (t) => {
  const { find, refused } = await open(t, digits, "digits", ["installed"]);
  for (const entrypoint of ["os:system", "os.system", "subprocess:Popen", "plugin_runner.worker:main"]) {
    assert.equal((await refused("x", entrypoint)).reason, "MODULE_FORBIDDEN", entrypoint);
  }
  assert.equal((await refused("x", "plugin.trian:Train")).reason, "ACTION_NOT_FOUND");
  for (const entrypoint of ["", "../x.js#a", "/etc/x.js", "a b", "plugin:", "./plugin/train.py", "./a.js", "x\0.y"]) {
    assert.equal((await refused("x", entrypoint || "!")).reason, "REQUEST_INVALID", entrypoint);
  }
  assert.equal((await find("x", "installed.models:Train")).entrypoint, "installed.models:Train");
});

test("the actions of a module are found in its text, and by loading it only when that does not show them", async (t) => {
  const { find, refused, inspector } = await open(t, { "tools/hello.py": "" }, "tools.hello");
  inspector.scanned = [{ name: "greet", description: "", entrypoint: "tools.hello:greet", line: 1 }];
  inspector.described = [described("greet", "tools.hello:greet"), described("hidden", "tools.hello:make")];
  assert.equal((await find("greet")).entrypoint, "tools.hello:greet");
  assert.deepEqual(inspector.asked, ["scan tools.hello"]);
  assert.equal((await find("hidden")).entrypoint, "tools.hello:make");
  assert.equal((await refused("absent")).metadata.available, "greet, hidden");
  assert.deepEqual(inspector.asked, ["scan tools.hello", "describe"], "each was asked once");
  assert.equal((await refused("x", "other:f")).reason, "MODULE_FORBIDDEN", "another plugin under the same root");
});

test("the schema of a JavaScript action is taken from its code", async (t) => {
  const js = {
    "p/config.yaml": "name: n\ncode: js\nactions: {a: {entrypoint: ./a.ts#a}, b: {entrypoint: ./a.ts#b}}\n",
  };
  const { find, refused, inspector } = await open(t, { ...js, "p/a.ts": "" }, "js");
  const failure = { reason: "PLUGIN_INVALID", message: "a.ts has no b" };
  inspector.described = [described("a", "./a.ts#a", { params_schema: epochs }), described("b", "", { error: failure })];
  const params = {};
  (await find("a")).validator?.(params);
  assert.deepEqual(params, { epochs: 3 });
  assert.equal((await refused("b")).message, "a.ts has no b");
});

test("a JavaScript module declares its actions by defineAction", async (t) => {
  const text = `export const one = defineAction({ run() {} });
export const two: Action = defineAction<P>({ name: "second" });
export default defineAction({ run() {} });
`;
  const { catalog, plugin } = await open(t, { "tools/resize.ts": text }, "tools.resize");
  const [info] = await catalog.list(signal);
  assert.deepEqual(
    info?.actions.map(({ name, entrypoint }) => [name, entrypoint]),
    [
      ["one", "./tools/resize.ts#one"],
      ["resize", "./tools/resize.ts"],
      ["second", "./tools/resize.ts#two"],
    ],
  );
  assert.equal(plugin.info.actions.length, 0, "the loaded plugin itself is not changed");
});

test("a description has the schemas of the configuration, and of the code where that has none", async (t) => {
  const { catalog, plugin, inspector } = await open(t, digits, "digits");
  inspector.described = [
    described("train", "", { params_schema: { title: "from code" }, result_schema: { type: "null" } }),
    described("infer", "", { params_schema: epochs, description: "Reads digits." }),
  ];
  const { actions } = await catalog.describe(plugin, signal);
  const [file, infer, train] = actions;
  assert.deepEqual([train?.paramsSchema, train?.resultSchema], [epochs, { type: "null" }]);
  assert.deepEqual([infer?.paramsSchema, infer?.description], [epochs, "Reads digits."]);
  assert.deepEqual(file?.paramsSchema, { required: ["path"] });
  await catalog.describe(plugin, signal);
  assert.deepEqual(inspector.asked, ["describe file,infer,train"]);
});

test("a description of a plugin without declared actions has all that its loaded code declares", async (t) => {
  const { catalog, plugin, inspector } = await open(t, { "tools/hello.py": "" }, "tools.hello");
  inspector.scanned = [{ name: "greet", description: "Greets.", entrypoint: "tools.hello:greet", line: 1 }];
  inspector.described = [
    described("greet", "tools.hello:greet", { params_schema: epochs }),
    described("hidden", "a:b"),
  ];
  const { actions } = await catalog.describe(plugin, signal);
  assert.deepEqual(
    actions.map(({ name, description, paramsSchema }) => [name, description, paramsSchema]),
    [
      ["greet", "Greets.", epochs],
      ["hidden", "", undefined],
    ],
  );
});

test("an action that cannot be loaded is an issue of the description, which is asked for again", async (t) => {
  const { catalog, plugin, inspector } = await open(t, digits, "digits");
  const error = { reason: "PLUGIN_INVALID", message: "no numpy", metadata: { file: "plugin/train.py", line: "3" } };
  inspector.described = [described("train", "", { error })];
  const { issues } = await catalog.describe(plugin, signal);
  assert.deepEqual(
    [issues.at(-1)?.message, issues.at(-1)?.file, issues.at(-1)?.line],
    ["The action train: no numpy", "plugin/train.py", 3],
  );
  inspector.failure = new PluginRunnerError("WORKER_LOST", "gone");
  await assert.rejects(catalog.describe(plugin, signal), { reason: "WORKER_LOST" });
  inspector.failure = undefined;
  inspector.described = [];
  const { issues: later } = await catalog.describe(plugin, signal);
  assert.equal(later.length, plugin.info.issues.length);
});

test("a scan that fails is an issue in the list, and an error for who asks for the action", async (t) => {
  const { catalog, inspector, refused } = await open(t, { "hello.py": "import plugin_runner\n@action\n" }, "hello");
  inspector.failure = new PluginRunnerError("PLUGIN_INVALID", "hello.py:2: invalid syntax");
  const [info] = await catalog.list(signal);
  assert.deepEqual([info?.actions, info?.issues[0]?.message], [[], "hello.py:2: invalid syntax"]);
  assert.equal((await refused("greet")).reason, "PLUGIN_INVALID");
});

test("a broken schema is the action's fault, and changes with the file", async (t) => {
  const yaml = (type: string) => `name: n\ncode: c\nactions: {a: {entrypoint: "m:f", params: {type: ${type}}}}\n`;
  const { root, catalog, refused } = await open(t, { "p/config.yaml": yaml("objekt"), "p/m.py": "" }, "c");
  assert.match((await refused("a")).message, /^config.yaml:3:43: The params schema of c\/a is invalid: \/type must be/);
  write(root, { "p/config.yaml": yaml("object") });
  await catalog.list(signal);
  const changed = await catalog.load("./p", signal);
  assert.ok((await catalog.action(changed, "a", "", signal)).validator);
});

test("a default that JSON has no literal for is shown as text, and filled in as the number", async (t) => {
  const files = { "p/config.yaml": "name: n\ncode: c\n", "p/index.ts": "export const train = defineAction({});\n" };
  const { catalog, plugin, inspector, find } = await open(t, files, "p");
  const params_schema = { type: "object", properties: { best: { type: "number", default: Number.NEGATIVE_INFINITY } } };
  inspector.described = [described("train", "./index.ts#train", { params_schema })];
  const [shown] = (await catalog.describe(plugin, signal)).actions;
  assert.deepEqual(shown?.paramsSchema?.properties, { best: { type: "number", default: "-Infinity" } });
  const params = {};
  (await find("train")).validator?.(params);
  assert.deepEqual(params, { best: Number.NEGATIVE_INFINITY });
});

test("a schema in code that nests too deep for clients is an issue of the plugin, and is not shown", async (t) => {
  const { catalog, plugin, inspector } = await open(t, digits, "p");
  let deep: JsonObject = {};
  for (let level = 0; level < 60; level++) deep = { not: deep };
  inspector.described = [described("infer", "plugin.infer.infer", { params_schema: deep })];
  const { actions, issues } = await catalog.describe(plugin, signal);
  assert.equal(actions.find(({ name }) => name === "infer")?.paramsSchema, undefined);
  assert.ok(issues.some(({ message }) => message.includes("A schema of infer is nested deeper than clients can read")));
});

test("files that take too long to read are the plugin's fault", async (t) => {
  t.mock.timers.enable({ apis: ["setTimeout"] });
  const { inspector, refused } = await open(t, { "hello.py": "import plugin_runner\n@action\n" }, "hello");
  const asked = Promise.withResolvers<void>();
  inspector.scan = async (_root, _module, until) => {
    asked.resolve();
    return new Promise((_resolve, reject) => until.addEventListener("abort", () => reject(until.reason)));
  };
  const refusal = refused("greet");
  await asked.promise;
  t.mock.timers.tick(120_000);
  const { reason, message } = await refusal;
  assert.deepEqual([reason, message], ["PLUGIN_INVALID", "The files of hello are not read after 120 s."]);
});

test("what is wrong with a schema is an issue with its place when the plugin is described, once", async (t) => {
  const files = {
    "p/config.yaml": `name: n
code: c
actions:
  broken:
    entrypoint: ./x.js#a
    params: {type: object, properties: {size: {type: array, items: 5}}}
  noted: {entrypoint: ./x.js#a, params: schema.yaml}
  good: {entrypoint: ./x.js#a, params: {type: object}}
`,
    "p/schema.yaml": "properties:\n  note:\n    type: string\n    default: null\n",
    "p/x.js": "",
  };
  const { inspector, catalog, plugin, find, refused } = await open(t, files, "c");
  const { issues } = await catalog.describe(plugin, signal);
  assert.deepEqual(
    issues.map(({ message, file, line }) => [message, file, line]),
    [
      [
        "The params schema of c/broken is invalid: /properties/size/items must be object or boolean, not number.",
        "config.yaml",
        6,
      ],
      [
        "The params schema of noted: /properties/note/default must be string, not null, and is not filled in.",
        "schema.yaml",
        4,
      ],
    ],
  );
  assert.equal((await refused("broken")).metadata.line, "6");
  const params: JsonObject = {};
  (await find("noted")).validator?.(params);
  assert.deepEqual(params, {}, "a caller cannot mend a default");
  await catalog.describe(plugin, signal);
  assert.equal(inspector.asked.filter((asked) => asked.startsWith("describe")).length, 1);
});

test("what the code notes of an action is an issue, and a schema in JavaScript is checked as well", async (t) => {
  const { inspector, catalog, plugin } = await open(
    t,
    { "p/config.yaml": "name: n\ncode: c\n", "p/index.js": "" },
    "c",
  );
  const note = { message: "/params/c has the hint complex.", file: "index.js", line: 3 };
  inspector.described = [
    described("a", "./index.js#a", { issues: [note] }),
    described("b", "./index.js#b", { params_schema: { type: "objekt" } }),
  ];
  const { issues, actions } = await catalog.describe(plugin, signal);
  assert.deepEqual(
    issues.map(({ message, file, line }) => [message.slice(0, 60), file, line]),
    [
      ["The action a: /params/c has the hint complex.", "index.js", 3],
      ["The action b: The params schema of c/b is invalid: /type mus", "", 0],
    ],
  );
  assert.deepEqual(
    actions.map(({ name }) => name),
    ["a", "b"],
  );
});

test("a name that two actions have is neither's, unless the configuration says which is meant", async (t) => {
  const twice = (name: string) => [
    { name, description: "", entrypoint: `a:${name}`, line: 1 },
    { name, description: "", entrypoint: `b:${name}`, line: 1 },
  ];
  const { inspector, catalog, plugin, find, refused } = await open(
    t,
    { "p/config.yaml": "name: n\ncode: c\n", "p/a.py": "", "p/b.py": "" },
    "c",
  );
  inspector.scanned = [...twice("hi"), { name: "one", description: "", entrypoint: "a:one", line: 9 }];
  const error = await refused("hi");
  assert.deepEqual([error.reason, error.metadata.candidates], ["PLUGIN_INVALID", "a:hi, b:hi"]);
  assert.equal((await find("one")).entrypoint, "a:one");
  assert.equal((await find("hi", "b:hi")).entrypoint, "b:hi");
  for (const shown of [...(await catalog.list(signal)), await catalog.describe(plugin, signal)]) {
    assert.deepEqual(
      shown.actions.map(({ name }) => name),
      ["one"],
    );
    assert.equal(shown.issues.filter(({ message }) => /2 actions are called hi: a:hi, b:hi/.test(message)).length, 1);
  }
  const text = 'name: n\ncode: d\nactions: {hi: {entrypoint: "b:hi"}, one: {}}\n';
  const settled = await open(t, { "p/config.yaml": text, "p/b.py": "" }, "d");
  settled.inspector.scanned = inspector.scanned;
  assert.equal((await settled.find("hi")).entrypoint, "b:hi");
  assert.equal((await settled.find("one")).entrypoint, "a:one");
  const [listed] = await settled.catalog.list(signal);
  assert.deepEqual(listed?.issues, []);
});

test("actions that the text does not show are told of in the list, and found by loading the code", async (t) => {
  const { inspector, catalog, find } = await open(t, { "p/config.yaml": "name: n\ncode: c\n", "p/m.py": "" }, "c");
  const issues = async () => (await catalog.list(signal)).flatMap(({ issues }) => issues);
  assert.match((await issues())[0]?.message ?? "", /shows no action\. GetPlugin loads the code/);
  inspector.described = [described("made", "m:made")];
  assert.equal((await find("made")).entrypoint, "m:made");
});

test("a place that makes actions is told of with its line", async (t) => {
  const files = {
    "p/config.yaml": "name: n\ncode: c\n",
    "p/index.ts": [
      'import { defineAction } from "plugin-runner";',
      "export const one = defineAction({ run: () => 1 });",
      "const make = (n: number) => defineAction({ run: () => n });",
      "export const two = make(2);",
    ].join("\n"),
  };
  const { catalog, inspector, find, refused } = await open(t, files, "c");
  const [listed] = await catalog.list(signal);
  assert.deepEqual(
    listed?.actions.map(({ name }) => name),
    ["one"],
  );
  assert.deepEqual(
    listed?.issues.map(({ file, line }) => [file, line]),
    [["index.ts", 3]],
  );
  inspector.described = [described("one", "./index.ts#one"), described("two", "./index.ts#two")];
  assert.equal((await find("two")).entrypoint, "./index.ts#two");
  assert.equal((await refused("")).reason, "ACTION_NOT_FOUND");
});

test("a module that cannot be loaded is why its actions are not found", async (t) => {
  const { inspector, refused } = await open(t, { "p/config.yaml": "name: n\ncode: c\n", "p/m.py": "" }, "c");
  const error = { reason: "PLUGIN_INVALID", message: "m.py:1: ValueError: no" };
  inspector.described = [described("", "m:", { error })];
  assert.deepEqual([(await refused("made")).message], ["m.py:1: ValueError: no"]);
});

test("an action without a place in the configuration or the code is told to have none", async (t) => {
  const text = "name: n\ncode: c\nactions: {train: {}}\n";
  const { inspector, refused } = await open(t, { "p/config.yaml": text, "p/m.py": "" }, "c");
  inspector.described = [described("fit", "m:fit")];
  const { reason, message, metadata } = await refused("train");
  assert.deepEqual([reason, metadata.available], ["ACTION_NOT_FOUND", "fit"]);
  assert.match(message, /declares the action train without an entrypoint.*It has: fit\. Add one/);
});

test("an action that cannot be run says where, once", async (t) => {
  const yaml = "name: n\ncode: c\nactions:\n  work: plugin:work\n";
  const { refused } = await open(t, { "p/config.yaml": yaml }, "c");
  const { message, violations } = await refused("work");
  assert.match(message, /^config\.yaml:4:9: The action work of c cannot be run: \/actions\/work must be an object/);
  assert.deepEqual(violations, []);
});

test("an entrypoint that names a Python file is told the module to name", async (t) => {
  const yaml = "name: n\ncode: c\nactions:\n  predict: {entrypoint: predict.py:Predictor}\n";
  const { plugin } = await open(t, { "p/config.yaml": yaml, "p/predict.py": "" }, "c");
  const messages = plugin.info.issues.map(({ message }) => message);
  assert.match(messages.join("\n"), /predict names the file predict\.py: .*write predict:Predictor\./);
});
