import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { describe, test } from "node:test";
import { findOnPath } from "../../src/util/find-on-path.ts";
import { withoutCertificates } from "../support/certificates.ts";
import { project, startServer } from "../support/server.ts";
import { readCases } from "./cases.ts";
import { startTargets } from "./targets.ts";

const skip = findOnPath("go") === undefined ? "go is not on PATH" : withoutCertificates;

describe("the Go client", { skip }, () => {
  test("is formatted and vetted", async () => {
    assert.deepEqual(await run("gofmt", ["-l", "clients/go"]), []);
    assert.deepEqual(await run("go", ["vet", "./clients/go/..."]), []);
    assert.deepEqual(await run("go", ["mod", "tidy", "-diff"]), []);
  });

  test("passes the cases of every client, and does what its page says", async () => {
    const folder = mkdtempSync(join(tmpdir(), "plugin-runner-go-"));
    try {
      await using targets = await startTargets();
      await using examples = await startServer({ roots: [join(project, "examples/plugins")] });
      const file = join(folder, "targets.json");
      writeFileSync(file, JSON.stringify(targets));
      const env = { PLUGIN_RUNNER_TARGETS: file, PLUGIN_RUNNER_EXAMPLES: examples.address };
      const passed = await suite(env);
      const cases = passed.filter((name) => name.startsWith("TestCases/"));
      assert.equal(cases.length, readCases().length);
      assert.ok(passed.includes("TestDocumentation"));
    } finally {
      rmSync(folder, { recursive: true });
    }
  });
});

/** Runs the client's own suite. Resolves with the names of the tests that passed, and says what the others printed. */
async function suite(env: Record<string, string>): Promise<string[]> {
  const passed: string[] = [];
  const printed = new Map<string, string>();
  for (const line of await run("go", ["test", "-count=1", "-json", "./clients/go/..."], env)) {
    const { Action, Test = "the package", Output = "" } = JSON.parse(line);
    if (Action === "output") printed.set(Test, `${printed.get(Test) ?? ""}${Output}`);
    if (Action === "pass") passed.push(Test);
    if (Action === "fail" || Action === "skip") assert.fail(`${Test}: ${Action}\n${printed.get(Test)}`);
  }
  return passed;
}

/**
 * Resolves with the lines that a program prints, but for the modules that it fetches. Its exit code says nothing that they
 * do not.
 */
async function run(program: string, args: string[], env: Record<string, string> = {}): Promise<string[]> {
  const child = spawn(program, args, {
    cwd: project,
    env: { ...process.env, ...env },
    stdio: ["ignore", "pipe", "pipe"],
  });
  return (await Promise.all([child.stdout, child.stderr].map(linesOf))).flat();
}

async function linesOf(stream: NodeJS.ReadableStream): Promise<string[]> {
  const lines: string[] = [];
  for await (const line of createInterface({ input: stream })) {
    if (!line.startsWith("go: downloading ")) lines.push(line);
  }
  return lines;
}
