import { readFileSync, statSync } from "node:fs";
import { hasCode } from "./has-code.ts";

/** Where a directory is: one that was copied is elsewhere, one that was renamed is not. */
export interface Place {
  /** The boot of the machine, where it is known: no process outlives it. */
  boot: string;
  device: string;
  inode: string;
  /** When the directory was made; empty where the file system does not say. */
  born: string;
}

const boot = readBoot();

/** Undefined where there is no directory. */
export function placeOf(dir: string): Place | undefined {
  try {
    const stats = statSync(dir, { bigint: true, throwIfNoEntry: false });
    if (!stats?.isDirectory()) return undefined;
    // Without a time of birth Node may give that of the last change, which says nothing.
    const born = stats.birthtimeNs === stats.ctimeNs ? "" : String(stats.birthtimeNs);
    return { boot, device: String(stats.dev), inode: String(stats.ino), born };
  } catch (error) {
    if (hasCode(error, "ENOTDIR", "ELOOP")) return undefined;
    throw error;
  }
}

/** Whether two places are one directory, and processes that worked in it then may do so now. */
export function isSamePlace(one: Place, other: Place): boolean {
  const born = one.born === other.born || one.born === "" || other.born === "";
  return one.boot === other.boot && one.device === other.device && one.inode === other.inode && born;
}

function readBoot(): string {
  try {
    return readFileSync("/proc/sys/kernel/random/boot_id", "utf8").trim();
  } catch {
    return "";
  }
}
