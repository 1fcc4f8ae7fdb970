import { lstatSync } from "node:fs";
import { readdir, rm, rmdir, statfs } from "node:fs/promises";
import { dirname, join } from "node:path";
import { diskFault } from "../storage-error.ts";
import { hasCode } from "../util/has-code.ts";
import { messageOf } from "../util/message-of.ts";
import { sqliteCodeOf, storageCodeOf } from "../util/storage-code.ts";
import { UsageError } from "./usage-error.ts";

/** What the disk that is written to refuses. */
const ofTarget: readonly unknown[] = ["ENOSPC", "EDQUOT", "EFBIG", "EROFS"];
const remedy = "make room there, or name a directory on another disk.";

/**
 * Has a directory made and filled with `what`, such as "the backup": where that fails, or is interrupted, nothing is left that
 * was not there before. Throws UsageError, in one line, for what a disk or a database refuses.
 */
export async function fillDirectory(dir: string, what: string, fill: () => Promise<void>): Promise<void> {
  const missing = missingDirectories(dir);
  const before = missing.length > 0 ? [] : await readdir(dir);
  try {
    await fill();
  } catch (error) {
    const left = await removeNew(dir, before, missing).then(
      () => "nothing of it is left",
      () => "remove what is left of it",
    );
    throw told(error, dir, what, left);
  }
}

/** Throws UsageError where a directory, which may still have to be made, has less room than what is to be written there takes. */
export async function needRoom(dir: string, what: string, bytes: number): Promise<void> {
  const made = missingDirectories(dir).at(-1);
  const { bavail, bsize, blocks } = await statfs(made === undefined ? dir : dirname(made));
  const free = bavail * bsize;
  // There are file systems that do not say how large they are.
  if (blocks === 0 || bytes <= free) return;
  const sizes = `it takes about ${mebibytes(bytes)}, and ${mebibytes(free)} are free`;
  throw new UsageError(`${dir} cannot hold ${what}: ${sizes}. Nothing was changed: ${remedy}`);
}

/** The deepest first. */
function missingDirectories(dir: string): string[] {
  const missing: string[] = [];
  for (let at = dir; !lstatSync(at, { throwIfNoEntry: false }); at = dirname(at)) missing.push(at);
  return missing;
}

async function removeNew(dir: string, before: readonly string[], missing: readonly string[]): Promise<void> {
  for (const name of await namesOrNone(dir)) {
    if (!before.includes(name)) await rm(join(dir, name), { recursive: true, force: true });
  }
  for (const path of missing) {
    try {
      await rmdir(path);
    } catch (error) {
      // Somebody else has use for a directory above it.
      if (path !== dir && hasCode(error, "ENOTEMPTY", "EEXIST")) return;
      if (!hasCode(error, "ENOENT")) throw error;
    }
  }
}

async function namesOrNone(dir: string): Promise<string[]> {
  return readdir(dir).catch((error: unknown) => {
    if (hasCode(error, "ENOENT")) return [];
    throw error;
  });
}

function told(error: unknown, dir: string, what: string, left: string): unknown {
  if (error instanceof UsageError) return error;
  const code = storageCodeOf(error);
  if (code !== undefined && ofTarget.includes(code))
    return new UsageError(`${dir} cannot hold ${what}: its disk ${diskFault(code)}; ${left}. To go on, ${remedy}`);
  const isOfSystem = sqliteCodeOf(error) !== undefined || (error instanceof Error && "syscall" in error);
  return isOfSystem
    ? new UsageError(`Not all of ${what} could be written to ${dir}, and ${left}. ${messageOf(error)}`)
    : error;
}

function mebibytes(bytes: number): string {
  return `${(bytes / 2 ** 20).toFixed(1)} MiB`;
}
