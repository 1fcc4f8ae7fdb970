import { type Stats, statSync } from "node:fs";

/** A file's clock may stand still this long: what was written just before it was read may be written again unseen. */
const clockGrainMs = 50;

/** What tells, without reading, that a file or folder is still the same. */
export interface Stamp {
  readonly size: number;
  readonly mtimeMs: number;
  readonly ctimeMs: number;
  readonly ino: number;
  /** False for what had only just changed when the stamp was taken: it tells nothing later. */
  readonly settled: boolean;
}

/** The stamp of a file or folder, of the target for a link; undefined when there is none. */
export function stampOf(path: string): Stamp | undefined {
  const stats = statOf(path);
  return stats && toStamp(stats);
}

/** As `stampOf`, from what is known already. */
export function toStamp({ size, mtimeMs, ctimeMs, ino }: Stats): Stamp {
  return { size, mtimeMs, ctimeMs, ino, settled: Math.max(mtimeMs, ctimeMs) < Date.now() - clockGrainMs };
}

/** What is at a path, of the target for a link; undefined when there is nothing, or nothing that may be seen. */
export function statOf(path: string): Stats | undefined {
  try {
    return statSync(path, { throwIfNoEntry: false });
  } catch {
    return undefined; // a loop of links, a file used as a folder, no permission: all the same as absent
  }
}

/** Whether a path still has the stamp that was taken of it. */
export function isUnchanged(path: string, stamp: Stamp): boolean {
  return stamp.settled && sameStamp(stamp, statOf(path));
}

/** Whether two stamps are of the same content, as far as a stamp can tell. */
export function sameStamp(a: Stamp, b: Omit<Stamp, "settled"> | undefined): boolean {
  return (
    a.settled &&
    b !== undefined &&
    a.mtimeMs === b.mtimeMs &&
    a.ctimeMs === b.ctimeMs &&
    a.size === b.size &&
    a.ino === b.ino
  );
}
