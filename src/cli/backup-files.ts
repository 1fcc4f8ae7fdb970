import { constants } from "node:fs";
import { copyFile, mkdir, readdir, readlink, stat, symlink, utimes } from "node:fs/promises";
import { join } from "node:path";
import { statOf } from "../plugin/stamp.ts";
import { hasCode } from "../util/has-code.ts";
import { UsageError } from "./usage-error.ts";

type Takes = (name: string) => boolean;
const all: Takes = () => true;
const blockBytes = 4096;

/** Copies a directory while others write to it: what is gone meanwhile is left out, as are pipes and the like. Links are copied as they are. */
export async function copyTree(from: string, to: string, signal: AbortSignal, takes: Takes = all): Promise<void> {
  await mkdir(to, { recursive: true, mode: 0o700 });
  for (const entry of await orGone(readdir(from, { withFileTypes: true }), [])) {
    if (!takes(entry.name)) continue;
    signal.throwIfAborted();
    const [source, target] = [join(from, entry.name), join(to, entry.name)];
    if (entry.isDirectory()) await copyTree(source, target, signal);
    else if (entry.isSymbolicLink())
      await orGone(
        readlink(source).then((path) => symlink(path, target)),
        undefined,
      );
    else if (entry.isFile()) await orGone(copyWithTimes(source, target), undefined);
  }
}

/** About how much room a copy of a directory takes. */
export async function treeBytes(dir: string, takes: Takes = all): Promise<number> {
  let bytes = blockBytes;
  for (const entry of await orGone(readdir(dir, { withFileTypes: true }), [])) {
    if (!takes(entry.name)) continue;
    const path = join(dir, entry.name);
    if (entry.isDirectory()) bytes += await treeBytes(path);
    else if (entry.isFile()) {
      const size = await orGone(
        stat(path).then((found) => found.size),
        0,
      );
      bytes += Math.ceil(size / blockBytes) * blockBytes;
    }
  }
  return bytes;
}

async function copyWithTimes(from: string, to: string): Promise<void> {
  await copyFile(from, to, constants.COPYFILE_FICLONE);
  const { atimeMs, mtimeMs } = await stat(from);
  await utimes(to, atimeMs / 1000, mtimeMs / 1000); // as a Date they would be cut to milliseconds
}

async function orGone<T>(work: Promise<T>, otherwise: T): Promise<T> {
  try {
    return await work;
  } catch (error) {
    if (hasCode(error, "ENOENT")) return otherwise;
    throw error;
  }
}

/** Undefined where there is no such directory. A `.gitignore` is what a service makes there. */
export async function namesIn(dir: string): Promise<string[] | undefined> {
  if (statOf(dir)?.isDirectory() === false) throw new UsageError(`${dir} is not a directory.`);
  return orGone<string[] | undefined>(readdir(dir), undefined).then((names) =>
    names?.filter((name) => name !== ".gitignore"),
  );
}
