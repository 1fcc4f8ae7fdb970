import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, test } from "node:test";
import { findOnPath } from "../../src/util/find-on-path.ts";
import { withoutCertificates } from "../support/certificates.ts";
import { project, startServer } from "../support/server.ts";
import { readCases } from "./cases.ts";
import { startTargets } from "./targets.ts";

const missing = ["mvn", "java"].find((program) => findOnPath(program) === undefined);
const skip = missing === undefined ? withoutCertificates : `${missing} is not on PATH`;

const reports = join(project, "clients/java/target/surefire-reports");

describe("the Java client", { skip }, () => {
  test("compiles without a warning, passes the cases of every client, and does what its page says", async () => {
    const folder = mkdtempSync(join(tmpdir(), "plugin-runner-java-"));
    try {
      await using targets = await startTargets();
      await using examples = await startServer({ roots: [join(project, "examples/plugins")] });
      const file = join(folder, "targets.json");
      writeFileSync(file, JSON.stringify(targets));
      rmSync(reports, { recursive: true, force: true });
      await verify({ PLUGIN_RUNNER_TARGETS: file, PLUGIN_RUNNER_ADDRESS: examples.address });
    } finally {
      rmSync(folder, { recursive: true });
    }
    const passed = passedTests();
    for (const { name } of readCases()) assert.ok(passed.includes(name), `"${name}" has not passed`);
    assert.ok(passed.includes("says what its snippets do"));
  });
});

/** Builds and tests the client. Rejects with what was printed when something is wrong. */
async function verify(env: Record<string, string>): Promise<void> {
  const child = spawn("mvn", ["-q", "-B", "-f", "clients/java", "verify"], {
    cwd: project,
    env: { ...process.env, ...env },
    stdio: ["ignore", "pipe", "pipe"],
  });
  let printed = "";
  for (const stream of [child.stdout, child.stderr]) {
    stream.on("data", (chunk: Buffer) => {
      printed += chunk;
    });
  }
  const [code] = await once(child, "close");
  assert.equal(code, 0, printed);
}

/** The names of the tests that ran; a build with one that failed has failed. */
function passedTests(): string[] {
  const files = readdirSync(reports).filter((name) => name.endsWith(".xml"));
  return files.flatMap((name) => {
    const report = readFileSync(join(reports, name), "utf8");
    assert.doesNotMatch(report, /<skipped/, `${name} has tests that were skipped`);
    return [...report.matchAll(/<testcase name="([^"]*)"/g)].map(([, test = ""]) =>
      text(test).replace(/^cases\(\) ?/, ""),
    );
  });
}

/** An attribute of XML as the text that it stands for. */
function text(attribute: string): string {
  const names: Record<string, string> = { amp: "&", lt: "<", gt: ">", quot: '"', apos: "'" };
  return attribute.replaceAll(/&(?:#(\d+)|(\w+));/g, (_all, code, name) =>
    code === undefined ? (names[name] ?? "") : String.fromCodePoint(Number(code)),
  );
}
