import assert from "node:assert/strict";
import { mkdirSync, mkdtempSync, realpathSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, afterEach, before, describe, test } from "node:test";
import type { JsonObject } from "@bufbuild/protobuf";
import { status } from "@grpc/grpc-js";
import { collect } from "../conformance/run.ts";
import { startServer, type TestServer } from "../support/server.ts";
import { refusal } from "./raw-calls.ts";

const root = realpathSync(mkdtempSync(join(tmpdir(), "plugin-runner-bad-plugins-")));

let server: TestServer;

before(async () => {
  writePlugin("well", { type: "object" });
  server = await startServer({ roots: [root] });
});

after(async () => {
  await server[Symbol.asyncDispose]();
  rmSync(root, { recursive: true });
});

afterEach(async () => {
  assert.deepEqual(await server.client.runPlugin("well", "run", { a: 1 }), { a: 1 });
});

describe("a configuration that cannot be used is PLUGIN_INVALID, and says where", () => {
  const names = [..."abcdefghij"];
  const configs = {
    "an empty file": "",
    "a list": "- a\n- b\n",
    "an open bracket": "name: Bad\ncode: [\n",
    "a tab for indentation": "name: Bad\nactions:\n\trun: {}\n",
    "no name": "code: bad\nactions: {}\n",
    "a number for actions": "name: Bad\ncode: bad\nactions: 5\n",
    "a name twice": "name: Bad\nname: Worse\ncode: bad\n",
    "brackets 5,000 deep": `name: ${"[".repeat(5_000)}\n`,
    "brackets 100 deep that close": `name: Bad\ncode: bad\nx: ${"[".repeat(100)}${"]".repeat(100)}\n`,
    "aliases that multiply": names
      .map((name, at) => `${name}: &${name} [${Array(9).fill(at === 0 ? "x" : `*${names[at - 1]}`)}]\n`)
      .concat("name: Bad\ncode: bad\n")
      .join(""),
    "60,000 names": `${Array.from({ length: 60_000 }, (_, n) => `k${n}: 1\n`).join("")}name: Bad\ncode: bad\n`,
    "300 KiB of text": `name: Bad\ncode: bad\ndescription: ${"x".repeat(300 * 1024)}\n`,
    "a tag for code": "name: !!js/function 'function () { process.exit() }'\ncode: bad\n",
    "two documents": "name: Bad\ncode: bad\n---\nname: Bad\n",
    "invalid UTF-8": Buffer.from("name: Bad\ncode: \xff\xfe\xfd\n", "latin1"),
  };
  for (const [what, text] of Object.entries(configs)) {
    test(what, async () => {
      const folder = join(root, "configs", what.replaceAll(/\W/g, "-"));
      mkdirSync(folder, { recursive: true });
      writeFileSync(join(folder, "config.yaml"), text);
      const { client } = server;
      for (const call of [
        () => client.runPlugin(folder, "run"),
        () => client.submitJob(folder, "run"),
        () => client.validateParams(folder, "run"),
        () => client.getPlugin(folder),
      ]) {
        const error = await refusal(call());
        assert.deepEqual([error.reason, error.code], ["PLUGIN_INVALID", status.FAILED_PRECONDITION]);
        assert.equal(error.metadata.file, "config.yaml");
      }
    });
  }

  test("and stands in the list of plugins, which has all the others", async () => {
    const listed = await collect(server.client.listPlugins());
    const broken = listed.filter(({ path }) => path.startsWith(join(root, "configs")));
    assert.equal(broken.length, Object.keys(configs).length);
    for (const { actions, issues } of broken) {
      assert.deepEqual(actions, []);
      assert.ok(issues[0]?.message);
    }
    assert.ok(listed.some(({ code }) => code === "well"));
  });
});

describe("a schema that cannot be used is PLUGIN_INVALID", () => {
  const doubling = Array.from({ length: 30 }, (_, n): [string, JsonObject] => {
    const next = { $ref: `#/$defs/a${n + 1}` };
    return [`a${n}`, { allOf: [next, next] }];
  });
  const schemas: Readonly<Record<string, JsonObject>> = {
    "a reference to another machine": { $ref: "http://127.0.0.1:1/schema.json" },
    "a reference to a file": { $ref: "file:///etc/passwd" },
    "a reference to itself": { $ref: "#" },
    "a reference to nothing": { properties: { a: { $ref: "#/$defs/none" } } },
    "a type that there is not": { type: "objekt" },
    "a pattern that is none": { properties: { a: { type: "string", pattern: "(" } } },
    "references that multiply": { $ref: "#/$defs/a0", $defs: Object.fromEntries([...doubling, ["a30", {}]]) },
  };
  for (const [what, schema] of Object.entries(schemas)) {
    test(what, async () => {
      const error = await refusal(server.client.runPlugin(writePlugin(what, schema), "run", { a: "b" }));
      assert.deepEqual([error.reason, error.code], ["PLUGIN_INVALID", status.FAILED_PRECONDITION]);
    });
  }
});

test("a pattern that other engines need years for is answered at once", async () => {
  const folder = writePlugin("slow pattern", { properties: { a: { type: "string", pattern: "^(a+)+$" } } });
  const error = await refusal(server.client.runPlugin(folder, "run", { a: `${"a".repeat(5_000)}!` }));
  assert.equal(error.reason, "PARAMS_INVALID");
});

test("what a schema requires is not met by inheritance", async () => {
  const folder = writePlugin("inherited", { required: ["constructor", "toString"] });
  const error = await refusal(server.client.runPlugin(folder, "run"));
  assert.deepEqual(
    error.violations.map(({ field }) => field),
    ["/params/constructor", "/params/toString"],
  );
});

/** Writes a plugin whose action takes params of a schema; returns its folder. */
function writePlugin(name: string, params: JsonObject): string {
  const code = name.replaceAll(/\W/g, "-");
  const folder = join(root, code);
  mkdirSync(folder);
  const actions = { run: { entrypoint: "./index.js#run", params } };
  writeFileSync(join(folder, "config.yaml"), JSON.stringify({ name, code, actions }));
  writeFileSync(join(folder, "index.js"), "export const run = (params) => params;\n");
  return folder;
}
