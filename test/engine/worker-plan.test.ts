import assert from "node:assert/strict";
import { test } from "node:test";
import { create } from "@bufbuild/protobuf";
import { PluginSchema } from "../../gen/ts/pluginrunner/v1/plugin_pb.ts";
import { planFor } from "../../src/engine/worker-plan.ts";
import type { LoadedPlugin } from "../../src/plugin/plugin.ts";

test("requests share a worker unless they set what a process has to be started with", () => {
  const plugin = pluginOf({});
  const usual = planFor(plugin, {});
  assert.equal(planFor(plugin, { API_KEY: "a" }), usual);
  assert.deepEqual(usual.env, {});
  const tokyo = planFor(plugin, { TZ: "Asia/Tokyo", PYTHONHASHSEED: "1", API_KEY: "b" });
  assert.notEqual(tokyo, usual);
  assert.deepEqual(tokyo.env, { TZ: "Asia/Tokyo", PYTHONHASHSEED: "1" });
  assert.equal(planFor(plugin, { PYTHONHASHSEED: "1", TZ: "Asia/Tokyo" }), tokyo);
  assert.notEqual(planFor(plugin, { TZ: "Asia/Tokyo" }), tokyo);
});

test("the configuration's variables are part of every plan, and a request's own come before them", () => {
  const plugin = pluginOf({ TZ: "Asia/Tokyo", NODE_OPTIONS: "--max-old-space-size=64", NODE_ENV: "test" });
  const usual = planFor(plugin, { TZ: "Asia/Tokyo" });
  assert.equal(planFor(plugin, {}), usual);
  assert.deepEqual(usual.env, { TZ: "Asia/Tokyo", NODE_OPTIONS: "--max-old-space-size=64" });
  assert.deepEqual(planFor(plugin, { TZ: "UTC" }).env, { TZ: "UTC", NODE_OPTIONS: "--max-old-space-size=64" });
});

test("what callers send does not pile up", () => {
  const plugin = pluginOf({});
  const first = planFor(plugin, { TZ: "0" });
  for (let number = 1; number < 100; number++) planFor(plugin, { TZ: String(number) });
  assert.notEqual(planFor(plugin, { TZ: "0" }), first);
  assert.equal(planFor(plugin, { TZ: "99" }), planFor(plugin, { TZ: "99" }));
});

function pluginOf(env: Record<string, string>): LoadedPlugin {
  const binding = { language: "python", code: "a", root: "/", module: "", digest: "", env, packages: "" } as const;
  return { info: create(PluginSchema), binding, requirements: undefined };
}
