import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { randomUUID } from "node:crypto";
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { setTimeout as delay } from "node:timers/promises";
import { create } from "@bufbuild/protobuf";
import { PluginSchema } from "../../../gen/ts/pluginrunner/v1/plugin_pb.ts";
import { Environments } from "../../../src/engine/embedded/environment.ts";
import { resolvePython } from "../../../src/engine/embedded/environment-python.ts";
import { runStep } from "../../../src/engine/embedded/environment-step.ts";
import { PluginRunnerError } from "../../../src/errors.ts";
import { readConfig } from "../../../src/plugin/config.ts";
import type { LoadedPlugin, Requirements } from "../../../src/plugin/plugin.ts";
import { readRequirements } from "../../../src/plugin/requirements.ts";
import { startTime } from "../../../src/util/process.ts";

const isLinux = process.platform === "linux";
const never = new AbortController().signal;
const python = (await resolvePython("python3", never)).path;

test("a plugin without requirements runs with the base interpreter, and nothing is written", async (t) => {
  const { environments, dir } = setup(t);
  assert.deepEqual(await environments.prepare(plugin(undefined), { report: unexpected }, never), {
    python,
    packages: "",
  });
  assert.equal(existsSync(dir), false);
});

test("requirements.txt becomes a virtual environment, built once for callers at the same time", async (t) => {
  const { environments, folder, dir } = setup(t);
  const wanted = plugin(pipRequirements(folder, "tiny-greeting==1.0"));
  const details: string[] = [];
  const [one, two] = await Promise.all([
    environments.prepare(wanted, { report: (detail) => details.push(detail) }, never),
    environments.prepare(wanted, { report: (detail) => details.push(detail) }, never),
  ]);
  assert.deepEqual(one, two);
  assert.equal(
    execFileSync(one.python, ["-c", "import tiny_greeting; print(tiny_greeting.text)"]).toString(),
    "hello\n",
  );
  assert.equal(details.filter((detail) => detail === "building the environment").length, 2, "one build, two listeners");
  assert.deepEqual(readdirSync(dir), ["d1"]);

  const restarted = new Environments({ dir, python: async () => python });
  assert.deepEqual(
    await restarted.prepare(wanted, { report: unexpected }, never),
    one,
    "a later service takes it as it is",
  );
});

test("a failed build says what pip said, without credentials, and leaves nothing", async (t) => {
  const { environments, folder, dir } = setup(t);
  const options = ["--no-index", "--find-links", "http://me:secret@127.0.0.1:9/", "--retries", "0"];
  const wanted = plugin({ ...pipRequirements(folder, "no-such-thing-at-all==9"), options });
  const error = await failure(environments.prepare(wanted, {}, never));
  assert.equal(error.reason, "PLUGIN_INVALID");
  assert.match(
    error.message,
    /^The environment of plugin fixture cannot be built: No matching distribution found for no-such-thing-at-all==9\npip failed \(1\)\.\n/,
  );
  assert.match(error.metadata.output ?? "", /No matching distribution found for no-such-thing-at-all==9/);
  assert.doesNotMatch(JSON.stringify(error.metadata) + error.message, /secret/);
  assert.deepEqual(readdirSync(dir), []);

  writeFileSync(join(folder, "requirements.txt"), "tiny-greeting==1.0\n");
  const again = await failure(environments.prepare(wanted, { report: unexpected }, never));
  assert.equal(again.message, error.message, "what failed is remembered");
  const mended = { ...pipRequirements(folder, "tiny-greeting==1.0"), digest: "d2" };
  await environments.prepare(plugin(mended), {}, never);
});

test("a build goes on when those who wait for it leave, and ends with the service", async (t) => {
  const { folder, dir } = setup(t);
  const logged: string[] = [];
  const environments = new Environments({ dir, python: async () => python, log: (_, message) => logged.push(message) });
  const wanted = plugin(pipRequirements(folder, "tiny-greeting==1.0"));
  const caller = new AbortController();
  const begun = Promise.withResolvers<void>();
  const left = failure(environments.prepare(wanted, { report: () => begun.resolve() }, caller.signal));
  await begun.promise;
  caller.abort(new PluginRunnerError("CANCELLED", "left"));
  assert.equal((await left).message, "left");
  const { python: built } = await environments.prepare(wanted, {}, never);
  assert.equal(built, join(dir, "d1", "bin", "python"));
  assert.deepEqual(logged, ["building an environment", "environment built"]);

  const other = plugin({ ...pipRequirements(folder, "tiny-greeting==1.0"), digest: "d2" });
  const building = Promise.withResolvers<void>();
  const ended = failure(environments.prepare(other, { report: () => building.resolve() }, never));
  await building.promise;
  await environments.close();
  const { reason, retryAfterMs } = await ended;
  assert.deepEqual([reason, retryAfterMs], ["ENGINE_UNAVAILABLE", 1000]);
  assert.deepEqual(readdirSync(dir), ["d1"]);
});

test("requirements that change while they are built make no environment", async (t) => {
  const { environments, folder, dir } = setup(t);
  const { file, options, wheelsDir } = pipRequirements(folder, "tiny-greeting==1.0");
  const text = `package_manager: pip\npackage_manager_options: ${JSON.stringify(options)}\n`;
  writeFileSync(join(folder, "config.yaml"), `name: Fixture\ncode: fixture\n${text}`);
  const requirements = readRequirements(folder, "python", readConfig(join(folder, "config.yaml")));
  assert.equal(requirements?.wheelsDir, wheelsDir);
  const { kept: _, ...wanted } = plugin(requirements);
  const change = () => writeFileSync(file, "tiny-greeting\n");
  assert.equal((await failure(environments.prepare(wanted, { report: change }, never))).reason, "PLUGIN_CHANGED");
  assert.deepEqual(readdirSync(dir), []);
  writeFileSync(file, "tiny-greeting==1.0\n");
  await environments.prepare(wanted, {}, never);
});

test("what a crash left unfinished is removed", async (t) => {
  const { environments, folder, dir } = setup(t);
  mkdirSync(join(dir, "abandoned", "bin"), { recursive: true });
  await environments.prepare(plugin(pipRequirements(folder, "tiny-greeting==1.0")), {}, never);
  assert.deepEqual(readdirSync(dir), ["d1"]);
});

test("package.json becomes a node_modules folder, with relative file: and without development dependencies", async (t) => {
  const { environments, folder } = setup(t);
  writeJson(join(folder, "tiny", "package.json"), { name: "tiny", version: "1.0.0", main: "index.js" });
  writeFileSync(join(folder, "tiny", "index.js"), "exports.text = 'hello';\n");
  const file = join(folder, "package.json");
  const devDependencies = { "plugin-runner": "^0.1.0", "no-such-package-at-all": "9" };
  writeJson(file, { name: "p", dependencies: { tiny: "file:./tiny", "plugin-runner": "*" }, devDependencies });
  const wanted = plugin({ digest: "n1", manager: "npm", file, options: [], wheelsDir: "" });
  const { packages } = await environments.prepare(wanted, {}, never);
  assert.equal(readFileSync(join(packages, "tiny", "index.js"), "utf8"), "exports.text = 'hello';\n");
  assert.equal(existsSync(join(packages, "plugin-runner")), false, "plugins get it from the service");
  assert.equal(existsSync(join(folder, "node_modules")), false, "the plugin's folder stays as it is");
});

test("a build sees nothing that the service itself is told: packages run code when they are installed", async (t) => {
  process.env.PLUGIN_RUNNER_TOKEN = "s3cret";
  t.after(() => delete process.env.PLUGIN_RUNNER_TOKEN);
  const args = ["-e", "console.log(process.env.PLUGIN_RUNNER_TOKEN, process.env.HOME, '/kept/requirements.txt')"];
  const said: string[] = [];
  const step = { name: "node", file: process.execPath, args, cwd: tmpdir() };
  const tell = { report() {}, line: (line: string) => said.push(line), lines: said };
  await runStep({ plugin: "p", scope: "build-of-a-test", root: "/kept", origin: "/plugin" }, step, tell, never);
  assert.deepEqual(said, [`undefined ${process.env.HOME} /plugin/requirements.txt`]);
});

test("a build that is ended leaves nothing, also of what left its session and its environment", {
  skip: !isLinux,
}, async () => {
  const hidden = "require('child_process').spawn('sleep', ['600'], { detached: true, env: {}, stdio: 'ignore' }).pid";
  const args = ["-e", `console.log(${hidden}); setInterval(() => {}, 60000)`];
  const step = { name: "node", file: process.execPath, args, cwd: tmpdir() };
  const left = new AbortController();
  let pid = Number.NaN;
  const line = (text: string) => {
    pid = Number(text);
    left.abort(new Error("left"));
  };
  const build = { plugin: "p", scope: randomUUID(), root: "/kept", origin: "/plugin" };
  await assert.rejects(runStep(build, step, { report() {}, line, lines: [] }, left.signal), /left/);
  while (startTime(pid) !== undefined) await delay(20);
});

test("resolvePython names the interpreter itself, and says so when there is none", async () => {
  const { path, version } = await resolvePython("python3", never);
  assert.match(version, /^3\.\d+\.\d+$/);
  assert.equal(execFileSync(path, ["-c", "import sys; print(sys.executable)"]).toString().trim(), path);
  const error = await failure(resolvePython("no-such-python", never));
  assert.deepEqual([error.reason, error.metadata], ["PLUGIN_INVALID", { command: "no-such-python" }]);
});

function setup(t: TestContext) {
  const base = mkdtempSync(join(tmpdir(), "environment-"));
  t.after(() => rmSync(base, { recursive: true, force: true }));
  const [dir, folder] = [join(base, "environments"), join(base, "plugin")];
  mkdirSync(folder);
  return { dir, folder, environments: new Environments({ dir, python: async () => python }) };
}

function plugin(requirements: Requirements | undefined): LoadedPlugin {
  const language = requirements?.manager === "npm" ? "javascript" : "python";
  const binding = { language, code: "fixture", root: "/", module: "", digest: "", env: {}, packages: "" } as const;
  // A snapshot is not compared with its digest.
  return { info: create(PluginSchema, { code: "fixture" }), binding, requirements, kept: "snapshot" };
}

/** Requirements that are met by a folder with one wheel, so that no index is asked. */
function pipRequirements(folder: string, line: string): Requirements {
  const [file, wheelsDir] = [join(folder, "requirements.txt"), join(folder, "wheels")];
  mkdirSync(wheelsDir, { recursive: true });
  writeFileSync(file, `${line}\n`);
  execFileSync(python, ["-c", makeWheel, join(wheelsDir, "tiny_greeting-1.0-py3-none-any.whl")]);
  return { digest: "d1", manager: "pip", file, options: ["--no-index"], wheelsDir };
}

const makeWheel = `
import sys, zipfile
files = {
    "tiny_greeting.py": "text = 'hello'\\n",
    "tiny_greeting-1.0.dist-info/METADATA": "Metadata-Version: 2.1\\nName: tiny-greeting\\nVersion: 1.0\\n",
    "tiny_greeting-1.0.dist-info/WHEEL": "Wheel-Version: 1.0\\nRoot-Is-Purelib: true\\nTag: py3-none-any\\n",
    "tiny_greeting-1.0.dist-info/RECORD": "",
}
with zipfile.ZipFile(sys.argv[1], "w") as wheel:
    for name, text in files.items():
        wheel.writestr(name, text)
`;

function writeJson(file: string, value: object): void {
  mkdirSync(join(file, ".."), { recursive: true });
  writeFileSync(file, JSON.stringify(value));
}

async function failure(promise: Promise<unknown>): Promise<PluginRunnerError> {
  const error: unknown = await promise.then(
    () => undefined,
    (thrown: unknown) => thrown,
  );
  assert.ok(error instanceof PluginRunnerError, String(error));
  return error;
}

function unexpected(detail: string): void {
  assert.fail(`Nothing was to be built, but: ${detail}`);
}
