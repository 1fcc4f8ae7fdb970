import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { promisify } from "node:util";
import { project, startServer } from "../support/server.ts";

test("the TypeScript guide's snippets, one after the other, are a program that does what they say", async (t) => {
  const guide = readFileSync(join(project, "docs/typescript-client.md"), "utf8");
  const snippets = [...guide.matchAll(/```ts\n(.*?)\n```/gs)].map(([, snippet]) => snippet);
  await using server = await startServer({ roots: [join(project, "examples/plugins")] });
  // Below the project, so that "plugin-runner" is the package as it is published.
  const folder = mkdtempSync(join(project, "test/docs/.guide-"));
  t.after(() => rmSync(folder, { recursive: true }));
  const program = join(folder, "guide.ts");
  writeFileSync(program, snippets.join("\n"));
  const env = { ...process.env, PLUGIN_RUNNER_ADDRESS: server.address };
  const { stdout } = await promisify(execFile)(process.execPath, [program], { env });
  assert.match(stdout, /rows: 344/);
  assert.match(stdout, /^100 of 100$/m);
  assert.match(stdout, /groups: 5/);
  assert.match(stdout, /PARAMS_INVALID .*\n?.*field: '\/params\/dataset'/s);
});
