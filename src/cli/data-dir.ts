import {
  accessSync,
  closeSync,
  constants,
  existsSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { dirname, join, resolve } from "node:path";
import { statOf } from "../plugin/stamp.ts";
import { hasCode } from "../util/has-code.ts";
import { messageOf } from "../util/message-of.ts";
import { UsageError } from "./usage-error.ts";

/** What a service makes in its data directory, and removes or moves what it does not know of there: see docs/operations.md. */
const parts = ["jobs", "set-aside", "snapshots", "left-behind", "environments", "pycache", "work", "artifacts"];
/** The data is nothing to commit. */
const ignoreAll = "*\n";

/**
 * Makes the directory that a service keeps its data in, for its own user alone, and returns its absolute path.
 * Throws UsageError, in one line, for a path that can hold no data.
 */
export function prepareDataDir(path: string): string {
  if (path.trim() === "") throw new UsageError("--data-dir is empty: name a directory for the service's data.");
  const dir = resolve(path);
  try {
    makeDirectory(dir);
    accessSync(dir, constants.R_OK | constants.W_OK | constants.X_OK);
    const foreign = isOwn(dir) ? undefined : parts.find((name) => holdsAnything(join(dir, name)));
    if (foreign !== undefined) throw new Error(notOwn(foreign));
    // A file that is there already is somebody else's.
    writeNew(join(dir, ".gitignore"), ignoreAll);
  } catch (error) {
    throw new UsageError(`--data-dir ${path} cannot be used: ${reasonOf(error)}`);
  }
  return dir;
}

/** Whether a service has used a directory before. Its database may have been lost since. */
function isOwn(dir: string): boolean {
  return existsSync(join(dir, "jobs.sqlite")) || textOf(join(dir, ".gitignore")) === ignoreAll;
}

function textOf(file: string): string | undefined {
  try {
    return readFileSync(file, "utf8");
  } catch {
    return undefined; // there is none, or it is no file
  }
}

function holdsAnything(path: string): boolean {
  const stats = statOf(path);
  return stats !== undefined && (!stats.isDirectory() || readdirSync(path).length > 0);
}

function notOwn(name: string): string {
  return `no service has used it, and "${name}" in it is somebody's: a service would remove it. Name another directory, or a new one in it.`;
}

function writeNew(file: string, text: string): void {
  try {
    const fd = openSync(file, "wx");
    try {
      writeFileSync(fd, text);
    } catch (error) {
      // Half of it would be taken for somebody else's later.
      rmSync(file, { force: true });
      throw error;
    } finally {
      closeSync(fd);
    }
  } catch (error) {
    if (!hasCode(error, "EEXIST")) throw error;
  }
}

/** One directory after the other: `recursive` of Node tries for ever where a file system such as /proc refuses a name. */
function makeDirectory(dir: string): void {
  const stats = statOf(dir);
  if (stats?.isDirectory()) return;
  if (stats) throw new Error(`${dir} is not a directory.`);
  const parent = dirname(dir);
  if (parent !== dir) makeDirectory(parent);
  mkdirSync(dir, { mode: 0o700 });
}

const reasons: Readonly<Record<string, string>> = {
  EACCES: "this user may not write there.",
  EPERM: "this user may not write there.",
  EROFS: "its file system is read-only.",
  ENOSPC: "its file system is full.",
  EDQUOT: "this user's quota there is used up.",
  ENAMETOOLONG: "its name is too long for its file system.",
  ELOOP: "it is a link that leads in a circle.",
  EIO: "its file system fails.",
  ENOENT: "its file system takes no directory of this name.",
};

function reasonOf(error: unknown): string {
  const code = error instanceof Error && "code" in error ? String(error.code) : "";
  return reasons[code] ?? messageOf(error);
}
