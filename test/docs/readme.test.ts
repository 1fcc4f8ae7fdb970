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

for (const language of ["python", "go", "java", "rust"]) {
  test(`the README's ${language} is what begins the page of that client, whose tests run it`, () => {
    const page = readFileSync(join(project, `docs/${language}-client.md`), "utf8");
    assert.equal(blockOf(readme, language), blockOf(page, language));
  });
}

/** Writes the README's first block of a language to a file, with the address of a test's server. */
function script(language: string, folder: string, address: string): string {
  const block = blockOf(readme, language);
  const name = `readme.${language}`;
  writeFileSync(join(folder, name), block.replace("127.0.0.1:50151", address));
  return name;
}

/** The first block of a language. */
function blockOf(markdown: string, language: string): string {
  const block = new RegExp(`\`\`\`${language}\n(.*?)\n\`\`\``, "s").exec(markdown)?.[1];
  assert.ok(block, `there is no block of ${language}`);
  return block;
}

async function run(args: string[], address: string, cwd?: string): Promise<string> {
  const env = { ...process.env, PLUGIN_RUNNER_ADDRESS: address, NO_COLOR: "1" };
  const { stdout } = await promisify(execFile)(process.execPath, args, { env, ...(cwd !== undefined && { cwd }) });
  return stdout;
}
