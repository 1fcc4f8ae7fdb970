/**
 * Checks the Python part in a virtual environment of its own.
 *
 *     node scripts/python.ts check   format, lint, types and tests, in .venv
 *     node scripts/python.ts client  the tests of the client, which need the servers of test/clients/with-targets.ts
 *     node scripts/python.ts oldest  the same with the oldest libraries that are supported, in .venv-oldest; needs Python 3.9
 *     node scripts/python.ts sdk     the tests of plugins written for synapse-sdk, in .venv-sdk; needs Python 3.12
 *     node scripts/python.ts protoc  a plugin of buf that generates Python, in .venv-protoc; needs Python 3.9 to 3.12
 */
import { spawnSync } from "node:child_process";
import { existsSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join, resolve } from "node:path";

const repository = resolve(import.meta.dirname, "..");
const library = join(repository, "python");
const tests = join(repository, "test/python");
const clientTests = join(tests, "client");

const commands: Record<string, () => void> = { check, client, oldest, sdk, protoc };
const command = commands[process.argv[2] ?? ""];
if (command === undefined) fail(`Say one of: ${Object.keys(commands).join(", ")}.`);
command();

function check(): void {
  const bin = development();
  run(join(bin, "ruff"), ["check", ".", tests]);
  run(join(bin, "ruff"), ["format", "--check", ".", tests]);
  run(join(bin, "mypy"), []);
  run(join(bin, "python"), ["-m", "pytest", "--ignore", clientTests]);
}

function client(): void {
  run(join(development(), "python"), ["-m", "pytest", clientTests]);
}

function oldest(): void {
  const python = findInterpreter(["python3.9", "python3"], [3, 9], [3, 9]) ?? fail("Python 3.9 is needed on PATH.");
  const bin = environment(".venv-oldest", join(library, "requirements-oldest.txt"), python);
  run(join(bin, "python"), ["-m", "pytest", clientTests]);
}

function sdk(): void {
  const python = findInterpreter(["python3.13", "python3.12", "python3"], [3, 12]);
  if (python === undefined) {
    console.log("Skipped: synapse-sdk needs Python 3.12 or newer, and none is on PATH.");
    return;
  }
  const bin = environment(".venv-sdk", join(library, "requirements-sdk.txt"), python);
  run(join(bin, "python"), ["-m", "pytest", join(tests, "test_sdk.py")]);
}

function protoc(): void {
  const names = ["python3.12", "python3.11", "python3.10", "python3.9", "python3"];
  const python = findInterpreter(names, [3, 9], [3, 12]) ?? fail("Python 3.9 to 3.12 is needed on PATH.");
  const bin = environment(".venv-protoc", join(library, "requirements-protoc.txt"), python);
  run(join(bin, "python"), [join(library, "protoc_gen_python.py")]);
}

function development(): string {
  return environment(".venv", join(library, "requirements-dev.txt"), interpreter(["python3"], [3, 10]));
}

/** The folder of programs of a virtual environment that has what `requirements` names; made anew when that changes. */
function environment(name: string, requirements: string, python: string): string {
  const folder = join(repository, name);
  const bin = join(folder, "bin");
  const marker = join(folder, "requirements.txt");
  const wanted = readFileSync(requirements, "utf8");
  if (existsSync(marker) && readFileSync(marker, "utf8") === wanted) return bin;
  console.error(`Preparing ${name} …`);
  rmSync(folder, { recursive: true, force: true });
  if (spawnSync("uv", ["--version"]).status === 0) {
    run("uv", ["venv", "--quiet", "--python", python, folder]);
    run("uv", ["pip", "install", "--quiet", "--python", join(bin, "python"), "-r", requirements]);
  } else {
    run(python, ["-m", "venv", folder]);
    const options = ["--quiet", "--disable-pip-version-check", "--no-compile"]; // much of it is never imported
    run(join(bin, "python"), ["-m", "pip", "install", ...options, "-r", requirements]);
  }
  writeFileSync(marker, wanted);
  return bin;
}

function interpreter(names: readonly string[], oldest: readonly [number, number]): string {
  return findInterpreter(names, oldest) ?? fail(`Python ${oldest.join(".")} or newer is needed on PATH.`);
}

/** The first of these that runs and is of these versions, as the path of the interpreter behind any launcher. */
function findInterpreter(
  names: readonly string[],
  oldest: readonly [number, number],
  newest: readonly [number, number] = [3, 99],
): string | undefined {
  const accepted = `(${oldest.join(", ")}) <= sys.version_info[:2] <= (${newest.join(", ")})`;
  const program = `import sys; print(sys.executable if ${accepted} else "")`;
  for (const name of names) {
    const found = spawnSync(name, ["-c", program], { encoding: "utf8" });
    if (found.status === 0 && found.stdout.trim() !== "") return found.stdout.trim();
  }
  return undefined;
}

function run(program: string, args: readonly string[]): void {
  const ended = spawnSync(program, args, { cwd: library, stdio: "inherit" });
  if (ended.status !== 0) fail(`${program} failed: ${ended.error?.message ?? `exit ${ended.status ?? ended.signal}`}`);
}

function fail(message: string): never {
  console.error(message);
  process.exit(1);
}
