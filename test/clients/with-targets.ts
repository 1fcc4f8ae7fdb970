/**
 * Runs a command while the targets of the clients' cases stand: `node test/clients/with-targets.ts go test ./...`. The
 * command finds them in the JSON file that PLUGIN_RUNNER_TARGETS names, of the shape `Targets`.
 */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { startTargets } from "./targets.ts";

const [command, ...args] = process.argv.slice(2);
if (command === undefined) throw new Error("Name a command.");
await using targets = await startTargets();
const dir = mkdtempSync(join(tmpdir(), "plugin-runner-targets-"));
try {
  const file = join(dir, "targets.json");
  writeFileSync(file, JSON.stringify(targets));
  const env = { ...process.env, PLUGIN_RUNNER_TARGETS: file };
  const child = spawn(command, args, { stdio: "inherit", env });
  // The command is of this terminal's group and gets the signal as well: these targets then end after it.
  for (const signal of ["SIGINT", "SIGTERM"] as const) process.on(signal, () => child.kill(signal));
  const [code, signal] = await once(child, "exit");
  process.exitCode = code ?? (signal === null ? 0 : 1);
} finally {
  rmSync(dir, { recursive: true });
}
