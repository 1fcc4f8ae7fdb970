import assert from "node:assert/strict";
import { appendFileSync, existsSync, mkdirSync, readdirSync, rmSync, truncateSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { type TestContext, test } from "node:test";
import type { Client } from "../../src/client.ts";
import { failure } from "../conformance/run.ts";
import { startServer } from "../support/server.ts";
import { begun, eventually, scratch } from "./scratch.ts";

const languages = ["python", "javascript"] as const;
type Language = (typeof languages)[number];

/** What a version of the plugin says of itself: in its main file, in one that is loaded late, and in its data. */
const told = (version: string) => ({ main: version, late: version, data: version });

for (const language of languages) {
  test(`a job runs what it was submitted with, whatever becomes of the plugin, also after a restart (${language})`, async (t) => {
    const { files, root, server } = await open(t, language);
    const { client } = server;
    const running = await client.submitJob("late", "go", files.params);
    await begun(files);
    const queued = await client.submitJob("late@1.0.0", "go", files.params);
    const failing = await client.submitJob("late", "fail");
    write(root, language, "2.0.0");
    const newest = await client.submitJob("late", "go", files.params);
    await server.end("SIGKILL");
    rmSync(join(root, "late"), { recursive: true });
    await server.start();
    writeFileSync(files.release, "");

    assert.deepEqual(await running.result(), told("1.0.0"));
    assert.deepEqual(await queued.result(), told("1.0.0"));
    assert.deepEqual(await newest.result(), told("2.0.0"));
    const versions = await Promise.all([running, queued, newest].map(async ({ id }) => await recorded(client, id)));
    assert.deepEqual(
      versions.map(({ version }) => version),
      ["1.0.0", "1.0.0", "2.0.0"],
    );
    assert.equal(versions[0]?.digest, versions[1]?.digest);
    const error = await failure(failing.result());
    assert.equal(error.reason, "ACTION_FAILED");
    const main = join(root, "late", language === "python" ? "plugin/main.py" : "main.ts");
    assert.ok(error.pluginStack.includes(main), error.pluginStack);
    await eventually(() => readdirSync(join(server.dataDir, "snapshots")).length === 0);
  });

  test(`what is no part of a plugin's content is there for its jobs as well (${language})`, async (t) => {
    const { files, root, server } = await open(t, language);
    writeFileSync(join(root, "late/.gitignore"), "weights/\n");
    for (const name of ["weights/model.txt", ".hidden.txt", "node_modules/dep/index.js"]) {
      mkdirSync(dirname(join(root, "late", name)), { recursive: true });
      writeFileSync(join(root, "late", name), 'module.exports = "dep";\n');
    }
    writeFileSync(join(root, "late/node_modules/dep/package.json"), '{"name": "dep", "main": "index.js"}');
    const paths = ["weights/model.txt", ".hidden.txt", "data.txt", "absent.txt"];
    const job = await server.client.submitJob("late", "there", { ...files.params, paths });
    assert.deepEqual(await job.result(), [true, true, true, false]);
  });

  test(`a plugin that is too large to keep runs where it is, or not at all once it has changed (${language})`, async (t) => {
    const { files, root, server } = await open(t, language);
    const { client } = server;
    const large = join(root, "late/large.bin");
    writeFileSync(large, "");
    truncateSync(large, 300 * 1024 ** 2);
    const running = await client.submitJob("late", "hold", files.params);
    await begun(files);
    const queued = await client.submitJob("late", "hold", files.params);
    const { digest } = await recorded(client, queued.id);
    assert.ok(
      !existsSync(join(server.dataDir, "snapshots")) || readdirSync(join(server.dataDir, "snapshots")).length === 0,
    );
    appendFileSync(join(root, "late/data.txt"), " changed");
    writeFileSync(files.release, "");
    assert.equal(await running.result(), "1.0.0");
    const error = await failure(queued.result());
    assert.deepEqual([error.reason, error.metadata.plugin_digest], ["PLUGIN_CHANGED", digest]);
    assert.equal(await (await client.submitJob("late", "hold", files.params)).result(), "1.0.0");
  });
}

async function open(t: TestContext, language: Language) {
  const files = scratch(t);
  const root = join(files.dir, "root");
  write(root, language, "1.0.0");
  const server = await startServer({ roots: [root], args: ["--max-running-jobs", "1"] });
  t.after(() => server[Symbol.asyncDispose]());
  return { files, root, server };
}

async function recorded(client: Client, id: string) {
  const { pluginVersion: version, pluginDigest: digest } = await client.getJob(id);
  return { version, digest };
}

function write(root: string, language: Language, version: string): void {
  for (const [name, text] of Object.entries(plugin[language](version))) {
    mkdirSync(dirname(join(root, "late", name)), { recursive: true });
    writeFileSync(join(root, "late", name), text);
  }
}

const plugin = {
  python: (version: string) => ({
    "config.yaml": config(version, "plugin.main:"),
    "data.txt": version,
    "plugin/__init__.py": "",
    "plugin/late.py": `VERSION = "${version}"\n`,
    "plugin/main.py": [
      "import os, time",
      "",
      "def go(starts: str, release: str):",
      `    main = "${version}"`,
      "    hold(starts, release)",
      "    from plugin.late import VERSION",
      "    here = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))",
      "    with open(os.path.join(here, 'data.txt')) as file:",
      "        return {'main': main, 'late': VERSION, 'data': file.read()}",
      "",
      "def hold(starts: str, release: str):",
      "    with open(starts, 'a') as file:",
      "        file.write('begun\\n')",
      "    while not os.path.exists(release):",
      "        time.sleep(0.02)",
      `    return "${version}"`,
      "",
      "def there(paths: list, starts: str, release: str):",
      "    return [os.path.exists(path) for path in paths]",
      "",
      "def fail():",
      "    raise ValueError('no')",
      "",
    ].join("\n"),
  }),
  javascript: (version: string) => ({
    "config.yaml": config(version, "./main.ts#"),
    "data.txt": version,
    "late.ts": `export const version: string = "${version}";\n`,
    "main.ts": [
      'import { appendFileSync, existsSync, readFileSync } from "node:fs";',
      'import { join } from "node:path";',
      'import { setTimeout as delay } from "node:timers/promises";',
      "interface Files { starts: string; release: string; paths: string[] }",
      "export async function go(files: Files) {",
      `  const main = "${version}";`,
      "  await hold(files);",
      '  const { version: late } = await import("./late.ts");',
      '  return { main, late, data: readFileSync(join(import.meta.dirname, "data.txt"), "utf8") };',
      "}",
      "export async function hold({ starts, release }: Files) {",
      '  appendFileSync(starts, "begun\\n");',
      "  while (!existsSync(release)) await delay(20);",
      `  return "${version}";`,
      "}",
      "export async function there({ paths }: Files) {",
      '  const { default: dep } = await import("dep");',
      '  if (dep !== "dep") throw new Error("no package");',
      "  return paths.map((path) => existsSync(path));",
      "}",
      "export function fail() {",
      '  throw new Error("no");',
      "}",
      "",
    ].join("\n"),
  }),
};

function config(version: string, module: string): string {
  const actions = ["go", "hold", "there", "fail"].map((name) => `  ${name}: { entrypoint: "${module}${name}" }\n`);
  return `name: Late\ncode: late\nversion: ${version}\nactions:\n${actions.join("")}`;
}
