import { type BigIntStats, constants, type StatsFs, statSync } from "node:fs";
import { access, stat, statfs } from "node:fs/promises";
import { join } from "node:path";
import { diskFault } from "../storage-error.ts";
import { hasCode } from "../util/has-code.ts";
import { messageOf } from "../util/message-of.ts";
import { storageCodeOf } from "../util/storage-code.ts";

/** What is wrong with the data directory: `code` as in the metadata of STORAGE_UNAVAILABLE. */
export interface StorageFault {
  code: string;
  message: string;
  metadata: Readonly<Record<string, string>>;
}

/** What is looked at. */
export interface StoragePlace {
  dir: string;
  /** Directories in it that runs and jobs need; each is made when it is first needed, and may be a link to another disk. */
  directories: readonly string[];
  /** Files in it that the service holds open, each with what comes of it where it is removed or replaced. */
  files: Readonly<Record<string, string>>;
  /** How many bytes have to be free; undefined: `defaultReserve`, or 5 % of a file system where that is less. */
  reserve: number | undefined;
}

const defaultReserve = 256 * 1024 ** 2;
const reservedShare = 20;
const reservedFiles = 1000;
/** So much more than the reserve has to be free before it counts as restored: else the last job would be let in and out. */
const restoredShare = 1.1;

/** Which directory and files the service was started on. */
export class StorageSeen {
  readonly place: StoragePlace;
  readonly #ids = new Map<string, string>();

  constructor(place: StoragePlace) {
    this.place = place;
    for (const path of [place.dir, ...Object.keys(place.files).map((name) => join(place.dir, name))]) {
      const stats = statSync(path, { bigint: true, throwIfNoEntry: false });
      if (stats) this.#ids.set(path, idOf(stats));
    }
  }

  /** Whether this is what was there first. What was not there yet is from now on. */
  isSame(path: string, stats: BigIntStats): boolean {
    const known = this.#ids.get(path);
    if (known === undefined) this.#ids.set(path, idOf(stats));
    return known === undefined || known === idOf(stats);
  }

  knows(path: string): boolean {
    return this.#ids.has(path);
  }
}

/**
 * What keeps new jobs from being kept, undefined when nothing does. `since` is the fault that was found the last time.
 * Changes nothing on disk.
 */
export async function findStorageFault(
  seen: StorageSeen,
  since: StorageFault | undefined,
): Promise<StorageFault | undefined> {
  const { place } = seen;
  try {
    return (
      (await directoryFault(seen)) ??
      (await filesFault(seen)) ??
      (await partsFault(place)) ??
      (await spaceFault(place, since?.code === "reserve"))
    );
  } catch (error) {
    const code = storageCodeOf(error) ?? (error instanceof Error && "code" in error ? String(error.code) : "EIO");
    return fault(code, `${place.dir} cannot be read: ${messageOf(error)}.`);
  }
}

/** What a failed write says of the disk; undefined where something else failed. */
export function writeFault({ dir }: StoragePlace, error: unknown): StorageFault | undefined {
  const code = storageCodeOf(error);
  if (code === undefined) return undefined;
  return fault(code, `The disk of the data directory ${dir} ${diskFault(code)}: nothing can be written there.`);
}

async function directoryFault(seen: StorageSeen): Promise<StorageFault | undefined> {
  const { dir } = seen.place;
  const stats = await statOf(dir);
  if (stats === undefined) {
    return fault(
      "moved",
      `The data directory ${dir} is gone: move it back, or end this service and start it where its data are.`,
    );
  }
  if (!seen.isSame(dir, stats)) {
    const what = "is not the one that this service was started on";
    return fault("moved", `The data directory ${dir} ${what}: put that back in its place, or start the service anew.`);
  }
  return accessFault(dir);
}

async function filesFault(seen: StorageSeen): Promise<StorageFault | undefined> {
  for (const [name, loss] of Object.entries(seen.place.files)) {
    const path = join(seen.place.dir, name);
    const stats = await statOf(path);
    if (stats ? seen.isSame(path, stats) : !seen.knows(path)) continue;
    const what = `was removed or replaced under the running service: ${loss}`;
    return fault("moved", `${path} ${what}. Put it back, or start the service anew.`);
  }
  return undefined;
}

async function partsFault({ dir, directories }: StoragePlace): Promise<StorageFault | undefined> {
  for (const path of directories.map((name) => join(dir, name))) {
    const stats = await statOf(path);
    if (stats === undefined) continue;
    if (!stats.isDirectory()) return fault("ENOTDIR", `${path} is not a directory: move it away.`);
    const denied = await accessFault(path);
    if (denied) return denied;
  }
  return undefined;
}

async function accessFault(dir: string): Promise<StorageFault | undefined> {
  try {
    await access(dir, constants.R_OK | constants.W_OK | constants.X_OK);
    return undefined;
  } catch (error) {
    if (hasCode(error, "EROFS")) return fault("EROFS", `The file system of ${dir} is read-only: make it writable.`);
    if (hasCode(error, "EACCES", "EPERM")) return fault("EACCES", `This service's user may not write to ${dir}.`);
    throw error;
  }
}

async function spaceFault(place: StoragePlace, wasLow: boolean): Promise<StorageFault | undefined> {
  if (place.reserve === 0) return undefined;
  for (const path of [place.dir, ...place.directories.map((name) => join(place.dir, name))]) {
    if ((await statOf(path)) === undefined) continue;
    const low = lowSpace(path, await statfs(path), place.reserve, wasLow ? restoredShare : 1);
    if (low) return low;
  }
  return undefined;
}

function lowSpace(
  path: string,
  { bsize, blocks, bavail, files, ffree }: StatsFs,
  asked: number | undefined,
  factor: number,
): StorageFault | undefined {
  const [free, size] = [bavail * bsize, blocks * bsize];
  const reserve = asked ?? Math.floor(Math.min(defaultReserve, size / reservedShare));
  if (free < reserve * factor) {
    const sizes = `${mebibytes(free)} of ${mebibytes(size)} are free, and ${mebibytes(reserve)} are kept in reserve`;
    const message = `The disk of ${path} is nearly full: ${sizes} (--disk-reserve). Make room.`;
    return fault("reserve", message, { free_bytes: String(free), reserve_bytes: String(reserve) });
  }
  // Where a file system makes inodes as it needs them, it says 0, or as many as it likes.
  const least = Math.floor(Math.min(reservedFiles, files / reservedShare));
  if (files === 0 || ffree >= least * factor) return undefined;
  const message = `The file system of ${path} takes only ${ffree} more files: remove some.`;
  return fault("reserve", message, { free_files: String(ffree), reserve_files: String(least) });
}

async function statOf(path: string): Promise<BigIntStats | undefined> {
  try {
    return await stat(path, { bigint: true });
  } catch (error) {
    if (hasCode(error, "ENOENT", "ENOTDIR")) return undefined;
    throw error;
  }
}

function idOf({ dev, ino }: BigIntStats): string {
  return `${dev}:${ino}`;
}

function mebibytes(bytes: number): string {
  return `${(bytes / 1024 ** 2).toFixed(bytes < 1024 ** 3 ? 1 : 0)} MiB`;
}

function fault(code: string, message: string, metadata: Record<string, string> = {}): StorageFault {
  return { code, message, metadata: { ...metadata, code } };
}
