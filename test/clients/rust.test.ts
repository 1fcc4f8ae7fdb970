import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { describe, test } from "node:test";
import { findOnPath } from "../../src/util/find-on-path.ts";
import { withoutCertificates } from "../support/certificates.ts";
import { project, startServer } from "../support/server.ts";
import { readCases } from "./cases.ts";
import { startTargets } from "./targets.ts";

/** Clippy compiles what it looks at as rustc would, so that nothing is built twice: for `cargo clippy`, and to be run. */
const linted = { RUSTC_WORKSPACE_WRAPPER: "clippy-driver", RUSTFLAGS: "--deny warnings" };

const skip = findOnPath("cargo") === undefined ? "cargo is not on PATH" : withoutCertificates;

describe("the Rust client", { skip }, () => {
  test("is formatted", async () => {
    await cargo(["fmt", "--check", "--all"]);
  });

  test("is free of what clippy warns of, passes the cases of every client, and does what its page says", async () => {
    const folder = mkdtempSync(join(tmpdir(), "plugin-runner-rust-"));
    try {
      await using targets = await startTargets();
      await using examples = await startServer({ roots: [join(project, "examples/plugins")] });
      const file = join(folder, "targets.json");
      writeFileSync(file, JSON.stringify(targets));
      const env = { PLUGIN_RUNNER_TARGETS: file, PLUGIN_RUNNER_EXAMPLES: examples.address, ...linted };
      const printed = await cargo(["test", "--locked", "--workspace", "--", "--show-output"], env);
      for (const { name } of readCases()) assert.ok(printed.includes(`passed ${name}\n`), name);
    } finally {
      rmSync(folder, { recursive: true });
    }
  });

  test("is packed with all that it is built from", async () => {
    const packed = await cargo(["package", "--list", "--allow-dirty"]);
    for (const file of ["proto/pluginrunner/v1/job.proto", "LICENSE", "README.md"]) assert.ok(packed.includes(file));
  });
});

/** Resolves with what a command of Cargo prints; its exit code has to be 0. */
async function cargo(args: string[], env: Record<string, string> = {}): Promise<string> {
  const child = spawn("cargo", args, {
    cwd: join(project, "clients/rust"),
    env: { ...process.env, ...env },
    stdio: ["ignore", "pipe", "pipe"],
  });
  const [[code], ...printed] = await Promise.all([once(child, "close"), text(child.stdout), text(child.stderr)]);
  assert.equal(code, 0, printed.join("\n"));
  return printed.join("\n");
}
