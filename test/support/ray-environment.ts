/**
 * A Python environment with Ray, made once and kept until its requirements change. Run as a program it makes it:
 *
 *     node test/support/ray-environment.ts
 */
import { spawnSync } from "node:child_process";
import { existsSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { delimiter, join, resolve } from "node:path";

const project = resolve(import.meta.dirname, "../..");
const requirements = join(project, "python/requirements-ray.txt");
const folder = process.env.PLUGIN_RUNNER_TEST_RAY_VENV ?? join(project, ".venv-ray");
const marker = join(folder, "requirements.txt");

/** The folder of its programs. The first test of all waits until it is made; one at a time makes it. */
export function rayBin(): string {
  if (!isMade()) run("flock", [requirements, process.execPath, import.meta.filename], process.env);
  return join(folder, "bin");
}

function make(): void {
  if (isMade()) return;
  rmSync(folder, { recursive: true, force: true });
  // What a job installs comes from this environment's own pip, so it has to have one.
  run(process.env.PLUGIN_RUNNER_TEST_PYTHON ?? "python3", ["-m", "venv", folder], process.env);
  const env = { ...process.env, PATH: `${join(folder, "bin")}${delimiter}${process.env.PATH}` };
  run("python", ["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "-r", requirements], env);
  writeFileSync(marker, readFileSync(requirements));
}

function isMade(): boolean {
  return existsSync(marker) && readFileSync(marker, "utf8") === readFileSync(requirements, "utf8");
}

function run(program: string, args: readonly string[], env: NodeJS.ProcessEnv): void {
  const { status, signal, error } = spawnSync(program, args, { stdio: "inherit", env });
  if (status !== 0) throw new Error(`${program} ${args.join(" ")} failed: ${error?.message ?? status ?? signal}`);
}

if (import.meta.main) make();
