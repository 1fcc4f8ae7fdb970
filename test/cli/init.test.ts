import assert from "node:assert/strict";
import { mkdtempDisposableSync, readFileSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { startServer } from "../support/server.ts";
import { command } from "./command.ts";

const result = { greeting: "Hello, Ada!", times: 2 };

for (const language of ["python", "typescript"]) {
  test(`init makes a ${language} plugin that runs at once, in every mode`, async () => {
    using folder = mkdtempDisposableSync(join(tmpdir(), "plugin-runner-"));
    const made = await command(["init", join(folder.path, "my-plugin"), "--language", language]);
    assert.equal(made.code, 0, made.err);
    await using server = await startServer({ roots: [folder.path] });
    const { address } = server;
    const params = ["--param", "name=Ada", "--param", "times=2"];
    for (const mode of ["local", "task"]) {
      const run = await command(["run", "my-plugin", "greet", ...params, "--mode", mode], { address });
      assert.equal(run.code, 0, run.err);
      assert.deepEqual(JSON.parse(run.out), result);
    }
    const job = await command(["submit", "my-plugin", "greet", ...params], { address });
    assert.equal(job.code, 0, job.err);
    assert.deepEqual(JSON.parse(job.out), result);
    assert.match(job.err, /100% {2}2\/2 .*greeting 2\n/);
    assert.match(job.err, /INFO Greeted Ada\. times=2\n/);
    assert.match(job.err, /artifact greetings\.txt: file:/);
    const invalid = await command(["validate", "my-plugin", "greet", "--param", "times=often"], { address });
    assert.equal(invalid.code, 4);
    assert.match(invalid.err, /^\/params\/times: /);
  });
}

test("init names the plugin after its folder, and fills in every variable", async () => {
  using folder = mkdtempDisposableSync(join(tmpdir(), "plugin-runner-"));
  const path = join(folder.path, "my-first_plugin");
  const { out } = await command(["init", path, "--json"]);
  const { code, files }: { code: string; files: string[] } = JSON.parse(out);
  assert.equal(code, "my-first_plugin");
  assert.match(readFileSync(join(path, "config.yaml"), "utf8"), /^name: My first plugin\ncode: my-first_plugin\n/);
  for (const file of files) assert.doesNotMatch(readFileSync(file, "utf8"), /\{\{/);
});

test("init overwrites nothing", async () => {
  using folder = mkdtempDisposableSync(join(tmpdir(), "plugin-runner-"));
  await command(["init", join(folder.path, "mine")]);
  writeFileSync(join(folder.path, "mine", "config.yaml"), "mine");
  const { code, err } = await command(["init", join(folder.path, "mine"), "--language", "typescript"]);
  assert.equal(code, 2);
  assert.match(err, /exists and is not empty/);
  assert.equal(readFileSync(join(folder.path, "mine", "config.yaml"), "utf8"), "mine");
});
