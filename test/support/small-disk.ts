import { execFileSync } from "node:child_process";
import { mkdtempSync, rmdirSync, rmSync, statfsSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { hasCode } from "../../src/util/has-code.ts";

/** A file system of its own for one test; disposing it takes it away. */
export interface SmallDisk extends Disposable {
  readonly path: string;
  /** Writes a file that leaves so many bytes free. */
  fill(leaving: number): void;
  /** Removes what `fill` wrote. */
  free(): void;
}

/** Of `mount`: for example `size=8m,nr_inodes=100`. */
export function smallDisk(options: string): SmallDisk {
  const path = mkdtempSync(join(tmpdir(), "small-disk-"));
  try {
    execFileSync("mount", ["-t", "tmpfs", "-o", options, "tmpfs", path], { stdio: "pipe" });
  } catch (error) {
    rmdirSync(path);
    throw error;
  }
  const filler = join(path, "filler");
  return {
    path,
    fill(leaving) {
      const { bavail, bsize } = statfsSync(path);
      try {
        writeFileSync(filler, Buffer.alloc(Math.max(0, bavail * bsize - leaving)));
      } catch (error) {
        if (!hasCode(error, "ENOSPC")) throw error; // others who write have taken the rest
      }
    },
    free: () => rmSync(filler, { force: true }),
    [Symbol.dispose]() {
      // A process that has just ended may be a little slower to let it go.
      execFileSync("umount", ["--lazy", path]);
      rmdirSync(path);
    },
  };
}

/** Why there can be no small disk here; false where there can. */
export const withoutSmallDisk: string | false = (() => {
  try {
    smallDisk("size=64k")[Symbol.dispose]();
    return false;
  } catch {
    return "mounting a small disk needs root on Linux";
  }
})();
