import assert from "node:assert/strict";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { Ajv2020 } from "ajv/dist/2020.js";
import { PluginRunnerError } from "../../src/errors.ts";
import { type PluginConfig, readConfig } from "../../src/plugin/config.ts";
import { packageRoot } from "../../src/util/package-root.ts";
import { tempTree } from "./temp-tree.ts";

function read(t: TestContext, text: string): PluginConfig {
  return readConfig(join(tempTree(t, { "config.yaml": text }), "config.yaml"));
}

function refusal(t: TestContext, text: string): PluginRunnerError {
  try {
    read(t, text);
  } catch (error) {
    if (error instanceof PluginRunnerError) return error;
    throw error;
  }
  assert.fail("was not refused");
}

test("the published schema is a valid JSON Schema, and every key in it says what it is for", () => {
  const schema = JSON.parse(readFileSync(join(packageRoot, "schemas/config.schema.json"), "utf8"));
  assert.equal(new Ajv2020({ strict: false }).validateSchema(schema), true);
  for (const [key, value] of Object.entries({ ...schema.properties, ...schema.$defs.action.properties })) {
    assert.match(JSON.stringify(value), /"description"|#\/\$defs\/unused/, key);
  }
});

test("a schema may have numbers that JSON has no literal for, and dates are text", (t) => {
  const properties = "{best: {default: .inf}, loss: {enum: [.nan, 1]}, day: {default: 2024-02-29}}";
  const config = read(t, `name: n\ncode: c\nactions:\n  train: {params: {properties: ${properties}}}\n`);
  assert.deepEqual(config.actions.get("train")?.params, {
    properties: {
      best: { default: Number.POSITIVE_INFINITY },
      loss: { enum: [Number.NaN, 1] },
      day: { default: "2024-02-29" },
    },
  });
});

test("an integer that would be rounded makes its action unusable, where an action would be given it", (t) => {
  const large = "9223372036854775807";
  const config = read(
    t,
    `name: n
code: c
actions:
  rounded: {params: {properties: {seed: {default: ${large}}}}}
  nested: {params: {properties: {seed: {enum: [1, [${large}]]}}}}
  limit: {params: {properties: {seed: {maximum: ${large}, default: 1e300}, default: {minimum: -${large}}}}}
`,
  );
  assert.deepEqual([...config.actions.keys()], ["limit"]);
  assert.match(
    config.unusable.get("rounded")?.message ?? "",
    /\/actions\/rounded\/params\/properties\/seed\/default, which/,
  );
  assert.match(config.unusable.get("nested")?.message ?? "", /\/seed\/enum\/1\/0, which would be rounded/);
});

test("name and code are enough", (t) => {
  const config = read(t, "name: Digits\ncode: digits\n");
  assert.equal(config.version, "0.1.0");
  assert.equal(config.packageManager, "pip");
  assert.deepEqual([config.actions.size, config.issues.length], [0, 0]);
});

test("everything that an action says is read", (t) => {
  const config = read(
    t,
    `name: n
code: c
actions:
  train:
    entrypoint: plugin.train:TrainAction
    description: Trains.
    method: job
    timeout: 1.5h
    params: {type: object}
    result: schemas/result.json
    resources: {cpus: 2, gpus: 0.5, memory: 2GiB, custom: {tpu: 1}}
`,
  );
  const { resources, ...action } = config.actions.get("train") ?? {};
  assert.deepEqual(action, {
    name: "train",
    title: "",
    entrypoint: "plugin.train:TrainAction",
    description: "Trains.",
    method: "job",
    timeoutMs: 5_400_000,
    params: { type: "object" },
    result: "schemas/result.json",
  });
  assert.deepEqual(
    [resources?.cpus, resources?.gpus, resources?.memoryMib, resources?.custom],
    [2, 0.5, 2048, { tpu: 1 }],
  );
});

test("a configuration of the Python SDK loads without an issue", (t) => {
  const config = read(
    t,
    `name: YOLO
code: yolov8
version: 1.10
variant: s
category: neural_net
description:
readme: README.md
package_manager: uv
package_manager_options: --no-cache --prerelease=allow
wheels_dir: wheels
env: {WORKERS: 4, RATE: 1.50, DEBUG: true, EMPTY: , NAME: x}
runtime_env: {env_vars: {WORKERS: 1, FROM: ray}}
data_type: image
tasks: [image.object_detection]
supported_data_type: [image]
requires: {sdk: ">=2026", python: ">=3.12"}
tags: [a]
actions:
  train:
    entrypoint: plugin.train.TrainAction
    hyperparameters: [{name: epochs}]
    ui_schema: []
  infer:
    entrypoint: plugin.infer:InferAction
    method: restapi
    supported_data_type: image
    serve_options: {}
`,
  );
  assert.deepEqual(config.issues, []);
  assert.deepEqual([...config.actions.keys()], ["train", "infer"]);
  assert.equal(config.version, "1.10", "a number is read as it is written");
  assert.deepEqual(config.env, { WORKERS: "4", RATE: "1.50", DEBUG: "true", EMPTY: "", NAME: "x", FROM: "ray" });
  assert.deepEqual(config.packageManagerOptions, ["--no-cache", "--prerelease=allow"]);
});

test("an unusable action is an issue, and the others keep working", (t) => {
  const config = read(
    t,
    `name: n
code: c
actions:
  .venv.lib.python3.12: {entrypoint: .venv.lib.python3.12:x}
  late: {entrypoint: "a:b", timeout: soon}
  none: 5
  good: {entrypoint: "a:b"}
`,
  );
  assert.deepEqual([...config.actions.keys()], ["good"]);
  assert.deepEqual([...config.unusable.keys()].sort(), [".venv.lib.python3.12", "late", "none"]);
  assert.deepEqual(config.issues.map(({ message, line, column }) => [message.slice(0, 30), line, column]).sort(), [
    ["/actions/late/timeout must be ", 5, 38],
    ["/actions/none must be an objec", 6, 9],
    ["The action .venv.lib.python3.1", 4, 3],
  ]);
});

test("what a timeout, memory or an action may be is said by example", (t) => {
  const messages = (action: string) => {
    const file = join(tempTree(t, { "config.yaml": `name: n\ncode: c\nactions:\n  work: ${action}\n` }), "config.yaml");
    return readConfig(file).issues.map(({ message }) => message);
  };
  assert.deepEqual(messages('{entrypoint: "m:f", timeout: 10 minutes}'), [
    "/actions/work/timeout must be written like 500ms, 90s, 10m, 2h, 1d",
  ]);
  assert.deepEqual(messages('{entrypoint: "m:f", resources: {memory: much}}'), [
    "/actions/work/resources/memory must be written like 512MiB, 2GiB",
  ]);
  assert.deepEqual(messages("plugin:work"), [
    '/actions/work must be an object: write work: {entrypoint: "plugin:work"}. It takes the keys name, entrypoint, description, method, params, result, resources, timeout.',
  ]);
});

test("an action is called by its key: its name is a title, and an issue where it is another action's key", (t) => {
  const config = read(
    t,
    `name: n
code: c
actions:
  train: {name: infer, entrypoint: "m:Train"}
  infer: {name: Inference, entrypoint: "m:Infer"}
  export: {name: export}
`,
  );
  assert.deepEqual(
    [...config.actions].map(([key, { name, title, entrypoint }]) => [key, name, title, entrypoint]),
    [
      ["train", "train", "infer", "m:Train"],
      ["infer", "infer", "Inference", "m:Infer"],
      ["export", "export", "export", ""],
    ],
  );
  assert.deepEqual(
    config.issues.map(({ message, line }) => [message, line]),
    [["The action train has the name infer, which is another action. Its key is what it is called by.", 4]],
  );
});

test("a timeout or resources beyond all measure make the action unusable", (t) => {
  const actions =
    "a: {timeout: 1.0e+300}, b: {timeout: 999999999d}, c: {resources: {memory: 999999TiB}}, d: {}, e: {resources: {cpus: .inf}}";
  const config = read(t, `name: n\ncode: c\nactions: {${actions}}\n`);
  assert.deepEqual([...config.unusable.keys()], ["a", "b", "c", "e"]);
});

test("a variable that no process can have is refused with its place", (t) => {
  for (const env of ['{"A=B": x}', '{"": x}', '{A: "x\\0"}']) {
    assert.throws(
      () => read(t, `name: n\ncode: c\nenv: ${env}\n`),
      {
        reason: "PLUGIN_INVALID",
        message: /^config.yaml:3:\d+: \/env.* (name is not allowed: "(A=B)?"|must match pattern)/,
      },
      env,
    );
  }
});

test("an unknown key is an issue with its place and the name that was meant", (t) => {
  const { issues } = read(
    t,
    "name: n\ncode: c\nversoin: 2\nactions:\n  a: {entrypoint: 'm:f', timout: 3, resources: {gpu: 1}}\n",
  );
  assert.deepEqual(
    issues.map(({ message, line, column }) => `${line}:${column} ${message}`),
    [
      '3:1 The key /versoin is not known and changes nothing. Did you mean "version"?',
      '5:26 The key /actions/a/timout is not known and changes nothing. Did you mean "timeout"?',
      '5:49 The key /actions/a/resources/gpu is not known and changes nothing. Did you mean "gpus"?',
    ],
  );
});

test("what is wrong with the plugin is refused, all of it, with line, column and excerpt", (t) => {
  const error = refusal(t, "name: [a]\ncode: c\npackage_manager: conda\n");
  assert.equal(error.reason, "PLUGIN_INVALID");
  assert.match(error.message, /^config\.yaml:1:7: \/name must be string, not array\n\nname: \[a\]\n {6}\^\n/);
  assert.deepEqual(
    error.violations.map(({ field }) => field),
    ["/name", "/package_manager"],
  );
  assert.deepEqual(error.metadata, { file: "config.yaml", line: "1", column: "7", faults: "2" });
  assert.match(refusal(t, "name: n\n").message, /\/code is required/);
  assert.match(refusal(t, "").message, /must be object, not null/);
  for (const code of ["a/b", "a@1"]) assert.match(refusal(t, `name: n\ncode: ${code}\n`).message, /\/code must match/);
  assert.match(refusal(t, "name: n\ncode: c\nactions: [train]\n").message, /\/actions must be object, not array/);
});

test("a file that cannot be read, or is not UTF-8, is refused", (t) => {
  const file = join(tempTree(t), "config.yaml");
  assert.throws(() => readConfig(file), { reason: "PLUGIN_INVALID", message: /cannot be read/ });
  writeFileSync(file, Buffer.from([0xff, 0xfe]));
  assert.throws(() => readConfig(file), { reason: "PLUGIN_INVALID", message: /not UTF-8/ });
});
