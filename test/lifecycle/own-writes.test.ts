import assert from "node:assert/strict";
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { startServer } from "../support/server.ts";
import { scratch } from "./scratch.ts";

const python = `import os
from plugin_runner import action
LABELS = open("labels.txt").read()
calls = 0

@action
def write():
    global calls
    calls += 1
    with open("out.txt", "w") as file:
        file.write(str(calls))
    os.makedirs("cache", exist_ok=True)
    with open(f"cache/{os.getpid()}-{calls}.bin", "w") as file:
        file.write("x")
    return [LABELS, calls]
`;

const javascript = `import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { defineAction } from "plugin-runner";
const path = (name) => new URL(name, import.meta.url);
const labels = readFileSync(path("labels.txt"), "utf8");
let calls = 0;
export const write = defineAction({
  run() {
    calls++;
    writeFileSync(path("out.txt"), String(calls));
    mkdirSync(path("cache"), { recursive: true });
    writeFileSync(path(\`cache/\${process.pid}-\${calls}.bin\`), "x");
    return [labels, calls];
  },
});
`;

const sources = {
  python: ["main.py", python, "main:write"],
  javascript: ["main.mjs", javascript, "./main.mjs#write"],
} as const;

for (const language of ["python", "javascript"] as const) {
  for (const mode of ["local", "task"] as const) {
    test(`what a plugin writes beside its code leaves its worker as it is, until somebody edits a file (${language}, ${mode})`, async (t) => {
      const { dir } = scratch(t);
      const plugin = join(dir, "own");
      const [file, code, entrypoint] = sources[language];
      mkdirSync(plugin);
      writeFileSync(
        join(plugin, "config.yaml"),
        `name: Own\ncode: own\nactions: {write: {entrypoint: "${entrypoint}"}}\n`,
      );
      writeFileSync(join(plugin, file), code);
      writeFileSync(join(plugin, "labels.txt"), "a");
      await using server = await startServer({ roots: [dir] });
      const call = () => server.client.runPlugin("own", "write", {}, { mode });
      for (const count of [1, 2, 3, 4]) assert.deepEqual(await call(), ["a", count]);
      writeFileSync(join(plugin, "labels.txt"), "a b");
      assert.deepEqual(await call(), ["a b", 1]);
      await server.logged("labels.txt");
    });
  }
}
