import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { promisify } from "node:util";
import { project, startServer } from "../support/server.ts";

const readme = readFileSync(join(project, "README.md"), "utf8");

test("the README's TypeScript and its commands do what they say", async () => {
  await using server = await startServer({ roots: [join(project, "examples/plugins")] });
  // Below the project, so that "plugin-runner" is the package as it is published.
  const folder = mkdtempSync(join(project, "test/docs/.readme-"));
  try {
    const printed = await run([join(folder, script("ts", folder, server.address))], server.address);
    assert.match(printed, /^1 of 20$/m);
    assert.match(printed, /^20 of 20$/m);
    assert.match(printed, /accuracy: 0\.\d+/);

    const commands = [...readme.matchAll(/^ {4}npx plugin-runner (plugins|run tables .*|init .*)$/gm)];
    const outputs = new Map<string, string>();
    for (const [, command = ""] of commands) {
      const args = [join(project, "dist/src/cli/main.js"), ...command.split(" ")];
      outputs.set(command.split(" ")[0] ?? "", await run(args, server.address, folder));
    }
    assert.match(outputs.get("plugins") ?? "", /digits .*infer train/);
    assert.match(outputs.get("run") ?? "", /"body_mass_g"/);
    assert.match(readFileSync(join(folder, "hello/config.yaml"), "utf8"), /entrypoint/);
  } finally {
    rmSync(folder, { recursive: true });
  }
});

/** Writes the README's first block of a language to a file, with the address of a test's server. */
function script(language: string, folder: string, address: string): string {
  const block = new RegExp(`\`\`\`${language}\n([^]*?)\n\`\`\``).exec(readme)?.[1];
  assert.ok(block, `the README has a block of ${language}`);
  const name = `readme.${language}`;
  writeFileSync(join(folder, name), block.replace("127.0.0.1:50151", address));
  return name;
}

async function run(args: string[], address: string, cwd?: string): Promise<string> {
  const env = { ...process.env, PLUGIN_RUNNER_ADDRESS: address, NO_COLOR: "1" };
  const { stdout } = await promisify(execFile)(process.execPath, args, { env, ...(cwd !== undefined && { cwd }) });
  return stdout;
}
