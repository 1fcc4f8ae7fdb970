import { constants } from "node:fs";
import { copyFile, mkdir, readdir, readlink, stat, symlink, utimes } from "node:fs/promises";
import { join } from "node:path";
import { hasCode } from "../util/has-code.ts";

/** Copies a directory while others write to it: what is gone meanwhile is left out, as are pipes and the like. Links are copied as they are. */
export async function copyTree(from: string, to: string, takes: (name: string) => boolean = () => true): Promise<void> {
  await mkdir(to, { recursive: true, mode: 0o700 });
  for (const entry of await orGone(readdir(from, { withFileTypes: true }), [])) {
    if (!takes(entry.name)) continue;
    const [source, target] = [join(from, entry.name), join(to, entry.name)];
    if (entry.isDirectory()) await copyTree(source, target);
    else if (entry.isSymbolicLink())
      await orGone(
        readlink(source).then((path) => symlink(path, target)),
        undefined,
      );
    else if (entry.isFile()) await orGone(copyWithTimes(source, target), undefined);
  }
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
  return orGone<string[] | undefined>(readdir(dir), undefined).then((names) =>
    names?.filter((name) => name !== ".gitignore"),
  );
}
