import { mkdir, readdir, rename } from "node:fs/promises";
import { dirname, join, relative } from "node:path";
import { type Copied, isAsCopied } from "./snapshot-files.ts";

/**
 * Moves what jobs wrote into a snapshot, which is about to be removed, into a folder of its own. Returns how many files
 * that were.
 */
export async function moveLeftBehind(folder: string, copied: Copied, to: string): Promise<number> {
  let moved = 0;
  for (const path of await filesUnder(folder)) {
    const name = relative(folder, path);
    if (await isAsCopied(folder, name, copied)) continue;
    const place = join(to, name);
    await mkdir(dirname(place), { recursive: true, mode: 0o700 });
    await rename(path, place);
    moved++;
  }
  return moved;
}

/** Without links: those lead out of the snapshot. */
async function filesUnder(folder: string): Promise<string[]> {
  const entries = await readdir(folder, { withFileTypes: true }).catch(() => []);
  const found: string[] = [];
  for (const entry of entries) {
    const path = join(folder, entry.name);
    if (entry.isDirectory()) found.push(...(await filesUnder(path)));
    else if (entry.isFile()) found.push(path);
  }
  return found;
}
