import assert from "node:assert/strict";
import { existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, utimesSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { create } from "@bufbuild/protobuf";
import { PluginSchema } from "../../../gen/ts/pluginrunner/v1/plugin_pb.ts";
import { Environments } from "../../../src/engine/embedded/environment.ts";
import { listEnvironments } from "../../../src/engine/embedded/environment-record.ts";
import type { LoadedPlugin } from "../../../src/plugin/plugin.ts";

const kibibyte = 1024;

test("beyond the quota those go that nobody has used for longest, and not what is in use", async (t) => {
  const dir = directory(t, { oldest: 5, held: 4, needed: 3, older: 2, newest: 1 });
  const neededByJobs = () => new Set(["needed"]);
  const environments = new Environments({
    dir,
    python: async () => "python",
    quotaBytes: 250 * kibibyte,
    neededByJobs,
  });
  const release = environments.hold(plugin("held"));
  await environments.tidy();
  assert.deepEqual(readdirSync(dir).sort(), ["held", "needed"], "they take more than the quota, and stay");
  release();
  writeFileSync(join(dir, "held", "more"), Buffer.alloc(100 * kibibyte));
  await environments.tidy();
  assert.deepEqual(readdirSync(dir), ["needed"]);
});

test("nothing goes while it is not known what jobs need", async (t) => {
  const dir = directory(t, { one: 5, two: 4 });
  let needed: Set<string> | undefined;
  const options = { dir, python: async () => "python", quotaBytes: 1, neededByJobs: () => needed };
  const environments = new Environments(options);
  await environments.tidy();
  assert.deepEqual(readdirSync(dir).sort(), ["one", "two"]);
  needed = new Set(["two"]);
  await environments.tidy();
  assert.deepEqual(readdirSync(dir), ["two"]);
});

test("within the quota nothing goes, and what was used just now never does", async (t) => {
  const dir = directory(t, { old: 5, fresh: 0 });
  const roomy = new Environments({ dir, python: async () => "python", quotaBytes: 1024 ** 3 });
  await roomy.tidy();
  assert.equal(readdirSync(dir).length, 2);
  const tight = new Environments({ dir, python: async () => "python", quotaBytes: 1 });
  await tight.tidy();
  assert.deepEqual(readdirSync(dir), ["fresh"]);
});

test("a use is written down with the plugin, and counts for the order", async (t) => {
  const dir = directory(t, { one: 5, two: 4 });
  const environments = new Environments({ dir, python: async () => "python" });
  await environments.prepare(plugin("one"), {}, new AbortController().signal);
  const [first, second] = await listEnvironments(dir);
  assert.deepEqual([first?.digest, first?.manager, first?.plugins], ["one", "pip", ["fixture"]]);
  assert.ok((first?.sizeBytes ?? 0) >= 100 * kibibyte);
  assert.deepEqual([second?.digest, second?.plugins], ["two", []]);
  assert.ok(existsSync(join(dir, "one")));
});

/** Complete environments of 100 KiB, by the hours since their last use. */
function directory(t: TestContext, hours: Readonly<Record<string, number>>): string {
  const dir = mkdtempSync(join(tmpdir(), "environments-"));
  t.after(() => rmSync(dir, { recursive: true, force: true }));
  for (const [digest, since] of Object.entries(hours)) {
    mkdirSync(join(dir, digest));
    writeFileSync(join(dir, digest, "library"), Buffer.alloc(100 * kibibyte, "x"));
    const marker = join(dir, digest, "plugin-runner-complete");
    writeFileSync(marker, "python");
    const used = new Date(Date.now() - since * 3_600_000);
    utimesSync(marker, used, used);
  }
  return dir;
}

function plugin(digest: string): LoadedPlugin {
  const binding = {
    language: "python",
    code: "fixture",
    root: "/",
    module: "",
    digest: "",
    env: {},
    packages: "",
  } as const;
  const requirements = { digest, manager: "pip", file: "/requirements.txt", options: [], wheelsDir: "" } as const;
  return { info: create(PluginSchema, { code: "fixture" }), binding, requirements };
}
