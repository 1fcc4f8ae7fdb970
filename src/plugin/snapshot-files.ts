import { constants, existsSync, readFileSync } from "node:fs";
import { chmod, copyFile, mkdir, readdir, stat, symlink, utimes, writeFile } from "node:fs/promises";
import { basename, dirname, join, relative } from "node:path";
import { isObject } from "../util/is-object.ts";
import type { FileTree } from "./file-tree.ts";
import type { LoadedPlugin } from "./plugin.ts";
import type { PluginSource } from "./plugin-source.ts";

/** Beyond these a plugin is not kept. */
export interface SnapshotLimits {
  maxBytes: number;
  maxFiles: number;
}

/** Size and time of each copied file, by its path in the snapshot. */
export type Copied = Record<string, [size: number, mtimeMs: number]>;

/** Thrown for a plugin that is beyond the limits. */
export class TooLarge extends Error {}

/** Neither copied nor linked: nobody's code, and large. */
const leftOut: readonly string[] = [".git", "__pycache__"];

const copiesAtATime = 16;

/** The name of a binding's root in a snapshot: people see it in paths. */
export function rootName({ binding }: LoadedPlugin): string {
  return basename(binding.root) || "root";
}

/**
 * Copies a plugin's files into a folder, below `rootName`. What does not count as its content (packages that are
 * installed beside it, what its ignore files name, links to folders) is linked, so that it is found where it is expected.
 * @throws TooLarge
 */
export async function layOut(
  plugin: LoadedPlugin & { source: PluginSource },
  tree: FileTree,
  folder: string,
  limits: SnapshotLimits,
): Promise<Copied> {
  const { binding, source } = plugin;
  const root = join(folder, rootName(plugin));
  const room = new Room(limits);
  for (const { stamp } of tree.files.values()) room.take(stamp.size);
  await mkdir(root, { recursive: true, mode: 0o700 });
  const own = new Set([...tree.folders.keys(), ...[...tree.files.values()].map(({ path }) => path)]);
  const placeOf = (path: string) => join(root, relative(binding.root, path));
  if (source.tree !== binding.root) await linkOthers(binding.root, root, (path) => path === source.tree, room);
  for (const path of tree.folders.keys()) {
    await mkdir(placeOf(path), { recursive: true, mode: 0o700 });
    await linkOthers(path, placeOf(path), (entry) => own.has(entry), room);
  }
  const copied: Copied = binding.language === "javascript" ? await keepModuleType(binding.root, folder) : {};
  const files = [...tree.files.values()];
  const copyNext = async (): Promise<void> => {
    for (let file = files.pop(); file; file = files.pop()) {
      const place = placeOf(file.path);
      try {
        copied[relative(folder, place)] = await copyOne(file.path, place);
      } catch (error) {
        files.length = 0;
        throw error;
      }
    }
  };
  const copying = await Promise.allSettled(Array.from({ length: copiesAtATime }, copyNext));
  for (const one of copying) if (one.status === "rejected") throw one.reason; // now that nobody writes there any more
  return copied;
}

/** Whether the copied files are as they were copied: a job may have written to them. */
export async function isIntact(folder: string, copied: Copied): Promise<boolean> {
  for (const name of Object.keys(copied)) if (!(await isAsCopied(folder, name, copied))) return false;
  return true;
}

/** Whether a file of a snapshot is one that was copied, and is as it was then. */
export async function isAsCopied(folder: string, name: string, copied: Copied): Promise<boolean> {
  const stats = await stat(join(folder, name)).catch(() => undefined);
  const [size, mtimeMs] = copied[name] ?? [];
  return stats !== undefined && stats.size === size && stats.mtimeMs === mtimeMs;
}

/** Archives and file systems keep times less exactly than the snapshot was stamped. */
const coarsestMs = 1000;

/** The same for a copy of the snapshot: with the times that its files have there, but for what was written to. */
export async function restamp(folder: string, copied: Copied): Promise<Copied> {
  const stamps: Copied = {};
  for (const [name, [size, mtimeMs]] of Object.entries(copied)) {
    const stats = await stat(join(folder, name)).catch(() => undefined);
    const isSame = stats?.size === size && Math.abs(stats.mtimeMs - mtimeMs) < coarsestMs;
    stamps[name] = [size, isSame ? stats.mtimeMs : mtimeMs];
  }
  return stamps;
}

/** Counts what is kept of a plugin. */
class Room {
  #bytes: number;
  #files: number;

  constructor({ maxBytes, maxFiles }: SnapshotLimits) {
    this.#bytes = maxBytes;
    this.#files = maxFiles;
  }

  take(bytes: number): void {
    this.#bytes -= bytes;
    this.#files--;
    if (this.#bytes < 0 || this.#files < 0) throw new TooLarge();
  }
}

/** A copy, or the same blocks where the file system can share them until one is written to. */
async function copyOne(from: string, to: string): Promise<[number, number]> {
  await copyFile(from, to, constants.COPYFILE_FICLONE);
  const { atimeMs, mtimeMs: time, mode } = await stat(from);
  await chmod(to, mode | 0o600);
  await utimes(to, atimeMs / 1000, time / 1000);
  return stampOf(to);
}

async function stampOf(path: string): Promise<[number, number]> {
  const { size, mtimeMs } = await stat(path);
  return [size, mtimeMs];
}

async function linkOthers(from: string, to: string, isOwn: (path: string) => boolean, room: Room): Promise<void> {
  for (const name of await readdir(from)) {
    const path = join(from, name);
    if (isOwn(path) || leftOut.includes(name)) continue;
    room.take(0);
    await symlink(path, join(to, name));
  }
}

/** Node takes the type of `.js` files from the nearest package.json, which may stand above the plugin. */
async function keepModuleType(root: string, folder: string): Promise<Copied> {
  const name = "package.json";
  const type = existsSync(join(root, name)) ? undefined : moduleType(dirname(root));
  if (type === undefined) return {};
  await writeFile(join(folder, name), JSON.stringify({ type }));
  return { [name]: await stampOf(join(folder, name)) };
}

function moduleType(folder: string): string | undefined {
  const file = join(folder, "package.json");
  if (!existsSync(file)) return folder === dirname(folder) ? undefined : moduleType(dirname(folder));
  try {
    const manifest: unknown = JSON.parse(readFileSync(file, "utf8"));
    return isObject(manifest) && typeof manifest.type === "string" ? manifest.type : undefined;
  } catch {
    return undefined; // Node says what is wrong with it
  }
}
