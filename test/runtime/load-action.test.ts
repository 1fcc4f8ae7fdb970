import assert from "node:assert/strict";
import { mkdirSync, mkdtempSync, realpathSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { type TestContext, test } from "node:test";
import { PluginRunnerError } from "../../src/errors.ts";
import { describeActions } from "../../src/runtime/describe-actions.ts";
import { loadAction } from "../../src/runtime/load-action.ts";
import type { Binding } from "../../src/worker/messages.ts";
import { bindingOf } from "./support/worker.ts";

let digests = 0;

/** A plugin of these files; every call of `bind` stands for content that has changed. */
function plugin(t: TestContext, files: Record<string, string>) {
  const base = realpathSync(mkdtempSync(join(tmpdir(), "load-")));
  t.after(() => rmSync(base, { recursive: true, force: true }));
  const root = join(base, "plugin");
  const write = (name: string, text: string) => {
    mkdirSync(dirname(join(root, name)), { recursive: true });
    writeFileSync(join(root, name), text);
  };
  for (const [name, text] of Object.entries(files)) write(name, text);
  const bind = (more: Partial<Binding> = {}) => bindingOf(root, { digest: `d${(digests++).toString(16)}`, ...more });
  return { base, root, write, bind };
}

async function call(binding: Binding, entrypoint: string): Promise<unknown> {
  return (await loadAction(binding, entrypoint)).run({}, undefined);
}

async function failure(promise: Promise<unknown>): Promise<PluginRunnerError> {
  const error: unknown = await promise.then(
    () => undefined,
    (thrown: unknown) => thrown,
  );
  assert.ok(error instanceof PluginRunnerError, String(error));
  return error;
}

test("an entry point names an export; without a name it is the default export", async (t) => {
  const { bind } = plugin(t, { "a/b.js": "export default () => 'default'; export const other = () => 'other';" });
  const binding = bind();
  assert.equal(await call(binding, "./a/b.js"), "default");
  assert.equal(await call(binding, "./a/b.js#other"), "other");
});

test("an export of CommonJS is found, also where Node does not see its name", async (t) => {
  const { bind } = plugin(t, { "a.cjs": "const made = { run: () => 'common' }; module.exports = { ...made };" });
  assert.equal(await call(bind(), "./a.cjs#run"), "common");
});

test("changed code is loaded anew, with all that it imports; loaded code stays as it was", async (t) => {
  const { bind, write } = plugin(t, {
    "main.ts": `import { one } from "./lib/one.ts";
import common from "./common.cjs";
import { shared } from "./lib/shared.ts";
export default () => [one(), common.two(), shared];`,
    "lib/one.ts": "export const one = (): number => 1;",
    "lib/shared.ts": "export const shared: unknown = globalThis.process.pid;",
    "common.cjs": "const { value } = require('./deep.cjs'); exports.two = () => value;",
    "deep.cjs": "exports.value = 1;",
  });
  const old = await loadAction(bind(), "./main.ts");
  assert.deepEqual(old.run({}, undefined), [1, 1, process.pid]);
  write("lib/one.ts", "export const one = (): number => 2;");
  write("deep.cjs", "exports.value = 2;");
  assert.deepEqual(await call(bind(), "./main.ts"), [2, 2, process.pid]);
  assert.deepEqual(old.run({}, undefined), [1, 1, process.pid]);
});

test("the same digest is the same code", async (t) => {
  const { bind } = plugin(t, { "count.mjs": "let calls = 0; export default () => ++calls;" });
  const binding = bind();
  assert.equal(await call(binding, "./count.mjs"), 1);
  assert.equal(await call(binding, "./count.mjs"), 2);
});

test("plugins see this library under its names, from ES modules and CommonJS", async (t) => {
  const { bind } = plugin(t, {
    "a.ts": `import { defineAction } from "plugin-runner/plugin"; export default defineAction({ run: () => "esm" });`,
    "b.cjs": `exports.b = require("plugin-runner").defineAction({ run: () => "cjs" });`,
  });
  const binding = bind();
  assert.equal(await call(binding, "./a.ts"), "esm");
  assert.equal(await call(binding, "./b.cjs#b"), "cjs");
});

test("packages of the environment are found; the plugin's own come first", async (t) => {
  const { base, bind, write } = plugin(t, {
    "a.mjs": "import both from 'both'; import built from 'built'; export default () => [both, built];",
    "b.cjs": "exports.b = () => require('built');",
    "node_modules/both/index.js": "module.exports = 'own';",
  });
  write("../built/node_modules/both/index.js", "module.exports = 'built';");
  write("../built/node_modules/built/index.js", "module.exports = 'built';");
  const binding = bind({ packages: join(base, "built", "node_modules") });
  assert.deepEqual(await call(binding, "./a.mjs"), ["own", "built"]);
  assert.deepEqual(await call(binding, "./b.cjs#b"), "built");
});

test("code outside the root is forbidden, over .. and over links", async (t) => {
  const { base, root, bind } = plugin(t, { "a.mjs": "export default () => 1;" });
  writeFileSync(join(base, "outside.mjs"), "export default () => 1;");
  symlinkSync(join(base, "outside.mjs"), join(root, "link.mjs"));
  for (const entrypoint of ["../outside.mjs", join(base, "outside.mjs"), "./link.mjs"]) {
    assert.equal((await failure(loadAction(bind(), entrypoint))).reason, "MODULE_FORBIDDEN", entrypoint);
  }
});

test("a missing export is ACTION_NOT_FOUND, with what there is and what is near", async (t) => {
  const { bind } = plugin(t, {
    "a.mjs": "export const train = () => 1; export const infer = () => 2; export const n = 3;",
  });
  const error = await failure(loadAction(bind(), "./a.mjs#trian"));
  assert.equal(error.reason, "ACTION_NOT_FOUND");
  const { available, nearest, entrypoint } = error.metadata;
  assert.deepEqual([available, nearest, entrypoint], ["infer,train", "train", "./a.mjs#trian"]);
});

test("an export that is no action is PLUGIN_INVALID, and a class is told from a function", async (t) => {
  const { bind } = plugin(t, { "a.mjs": "export const n = 3; export class Train { run() {} }" });
  const binding = bind();
  assert.equal((await failure(loadAction(binding, "./a.mjs#n"))).reason, "PLUGIN_INVALID");
  assert.match((await failure(loadAction(binding, "./a.mjs#Train"))).message, /is a class: export defineAction\({ run/);
});

test("a name that tsconfig.json leads elsewhere is told from a package", async (t) => {
  const { bind } = plugin(t, {
    "a.ts": 'import "lib/x";',
    "tsconfig.json": '{ "compilerOptions": { "paths": { "lib/*": ["./src/*"] } } } // a comment',
  });
  assert.match((await failure(loadAction(bind(), "./a.ts"))).message, /paths of tsconfig\.json are not followed/);
});

test("params that are an object of a schema library say how to make a JSON Schema of it", async (t) => {
  const { bind } = plugin(t, {
    "a.mjs": `import { defineAction } from "plugin-runner";
class Shape { parse() {} shape = () => {} }
export const a = defineAction({ params: new Shape(), run: () => 1 });`,
  });
  const [described] = await describeActions(bind(), { a: "./a.mjs#a" });
  assert.equal(described?.error?.reason, "PLUGIN_INVALID");
  assert.match(described?.error?.message ?? "", /^params of \.\/a\.mjs#a is not a JSON Schema: .*z\.toJSONSchema/);
});

const broken: [string, string, [number, number], RegExp][] = [
  ["a.mjs", "export const a = 1;\nconst b = {;\n", [2, 12], /Unexpected token ';'/],
  ["a.cjs", "const a = 1;\nconst b = {;\n", [2, 12], /Unexpected token ';'/],
  ["a.ts", "export const a: number = 1;\nconst x: = ;\n", [2, 10], /Unexpected token `=`/],
  ["a.ts", "export const a = 1;\n\nenum B { C }\n", [3, 1], /strip-only mode.*write it without enum/],
  ["a.mjs", 'import { nope } from "node:path";\n', [1, 10], /export named 'nope'/],
  ["a.mjs", "function f() {\n  throw new TypeError('early');\n}\nf();\n", [2, 9], /TypeError: early/],
  ["a.mjs", 'import "no-such-package-of-mine";\n', [1, 9], /Add the package to the plugin's package\.json/],
  ["a.mjs", 'import "./nowhere.mjs";\n', [1, 11], /Cannot find module 'nowhere\.mjs'/],
  ["a.ts", 'import { JsonSchema } from "plugin-runner";\n', [1, 10], /If JsonSchema is a type, .*{ type JsonSchema }/],
  ["a.ts", "const seen = (x: unknown) => x;\nclass A {\n  @seen\n  m() {}\n}\n", [3, 3], /Node runs no decorators/],
  ["a.ts", 'import "@/lib/x";\n', [1, 11], /paths of tsconfig\.json are not followed/],
  ["a.ts", 'import "./a";\n', [1, 11], /Write its whole name: a\.ts\./],
  ["a.ts", 'import "./a.js";\n', [1, 11], /Write its whole name: a\.ts\./],
  [
    "a.mjs",
    'import { defineAction } from "plugin-runner";\ndefineAction({ execute() {} });\n',
    [2, 1],
    /It has execute/,
  ],
];

for (const [file, text, [line, column], message] of broken) {
  test(`${file} that says ${JSON.stringify(text)} is PLUGIN_INVALID, with its place`, async (t) => {
    const { bind } = plugin(t, { [file]: text });
    const error = await failure(loadAction(bind(), `./${file}`));
    assert.equal(error.reason, "PLUGIN_INVALID");
    assert.match(error.message, message);
    const { metadata } = error;
    assert.deepEqual([metadata.file, metadata.line, metadata.column], [file, String(line), String(column)]);
  });
}

test("an error in an imported file names that file", async (t) => {
  const { bind } = plugin(t, { "a.mjs": 'import "./lib/b.mjs";\n', "lib/b.mjs": "let x = ;\n" });
  assert.equal((await failure(loadAction(bind(), "./a.mjs"))).metadata.file, "lib/b.mjs");
});

test("describe tells name, description and schemas, and what is wrong with a single one", async () => {
  const described = await describeActions(bindingOf("behaviour"), {
    greet: "./index.ts#greet",
    plain: "./index.ts#plain",
    gone: "./index.ts#gone",
  });
  const [greet, plain, gone] = described;
  assert.deepEqual(greet, {
    name: "greet",
    description: "Greets somebody.",
    entrypoint: "./index.ts#greet",
    params_schema: {
      type: "object",
      properties: { name: { type: "string" }, times: { type: "integer", default: 1 } },
      required: ["name"],
    },
    result_schema: { type: "string" },
  });
  assert.equal(plain?.params_schema, null);
  assert.equal(gone?.error?.reason, "ACTION_NOT_FOUND");
});

test("a module's actions are what it exports from defineAction, each once", async (t) => {
  const { bind } = plugin(t, {
    "deep/tool.ts": `import { defineAction } from "plugin-runner";
export const one = defineAction({ run: () => 1 });
export const two = defineAction({ name: "second", run: () => 2 });
export default defineAction({ run: () => 3 });
export { one as again };
export const helper = () => 4;`,
  });
  const described = await describeActions(bind({ module: "./deep/tool.ts" }), {});
  assert.deepEqual(described.map(({ name, entrypoint }) => [name, entrypoint]).sort(), [
    ["again", "./deep/tool.ts#again"],
    ["second", "./deep/tool.ts#two"],
    ["tool", "./deep/tool.ts"],
  ]);
});
