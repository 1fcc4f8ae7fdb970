import { randomUUID } from "node:crypto";
import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { rm } from "node:fs/promises";
import { dirname, join } from "node:path";
import type { Binding } from "./messages.ts";

/** Beside the compiled code of a plugin: the digest that it was compiled for. */
const marker = "plugin-runner-digest";

/** Stands among the compiled code as long as no disk was seen that may have cut some of it. */
const wholeMarker = "plugin-runner-whole";

const current = new Map<string, string>();

/**
 * Keeps compiled code that can be trusted: on a full disk Python leaves files that it takes for whole, and that no import
 * survives. What a disk in trouble may have cut is not read, and is removed once that is over.
 */
export function keepCompiledCodeWhole(
  prefix: string,
  storage: { onChange(listener: (available: boolean) => void): void },
): void {
  renew(prefix);
  storage.onChange((available) => (available ? renew(prefix) : doubt(prefix)));
}

/** The variables by which Python finds compiled code, or neither reads nor writes any where it is in doubt. */
export function compiledCodeVariables(prefix: string): Record<string, string> {
  if (existsSync(join(prefix, wholeMarker))) return { PYTHONPYCACHEPREFIX: prefix };
  return { PYTHONPYCACHEPREFIX: join(prefix, "none"), PYTHONDONTWRITEBYTECODE: "1" };
}

/** To remove a file needs no room. */
function doubt(prefix: string): void {
  try {
    rmSync(join(prefix, wholeMarker), { force: true });
  } catch {
    // Where nothing can be removed, as on a disk that is read-only, nothing is written either.
  }
}

function renew(prefix: string): void {
  if (existsSync(join(prefix, wholeMarker))) return;
  try {
    mkdirSync(prefix, { recursive: true, mode: 0o700 });
    for (const name of readdirSync(prefix)) remove(join(prefix, name), prefix);
    current.clear();
    writeFileSync(join(prefix, wholeMarker), "");
  } catch {
    // It stays in doubt: Python goes on without.
  }
}

/**
 * Removes the compiled code of another version of a Python plugin. The plugin's own processes know versions apart; those
 * that they start go by size and time alone.
 * @param prefix Python's `PYTHONPYCACHEPREFIX`
 */
export function forgetCompiledCode(prefix: string, { root, module, digest }: Binding): void {
  if (root === "") return;
  const [top = ""] = module.split(".");
  const folder = join(prefix, root, top);
  const file = top === "" ? join(folder, marker) : `${folder}.${marker}`;
  if (current.get(file) === digest) return;
  if (written(file) !== digest) {
    remove(folder, prefix);
    if (top !== "") for (const name of compiledFiles(dirname(folder), top)) rmSync(name, { force: true });
    mkdirSync(dirname(file), { recursive: true, mode: 0o700 });
    writeFileSync(file, digest);
  }
  current.set(file, digest);
}

/** Moves it out of the way at once; there may be much of it. */
function remove(folder: string, prefix: string): void {
  const removed = join(prefix, `removed-${randomUUID()}`);
  try {
    renameSync(folder, removed);
  } catch {
    return; // nothing was compiled yet
  }
  rm(removed, { recursive: true, force: true }).catch(() => {}); // only space is lost
}

function compiledFiles(folder: string, module: string): string[] {
  try {
    const names = readdirSync(folder).filter((name) => name.startsWith(`${module}.`) && name.endsWith(".pyc"));
    return names.map((name) => join(folder, name));
  } catch {
    return []; // nothing was compiled yet
  }
}

function written(file: string): string | undefined {
  try {
    return readFileSync(file, "utf8");
  } catch {
    return undefined;
  }
}
