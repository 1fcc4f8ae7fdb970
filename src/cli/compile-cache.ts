/**
 * Keeps the compiled code of this program for its next start, which takes a third less then. `NODE_COMPILE_CACHE` names another
 * directory, `NODE_DISABLE_COMPILE_CACHE` none. Where it cannot be written, nothing is kept.
 */
import { mkdirSync } from "node:fs";
import { enableCompileCache } from "node:module";
import { homedir } from "node:os";
import { isAbsolute, join } from "node:path";
import { hasCode } from "../util/has-code.ts";

const caches = process.env.XDG_CACHE_HOME || join(homedir(), ".cache");
// Not where Node keeps it by default, which is the directory for temporary files: others may write there.
const own = join(caches, "plugin-runner");
if (process.env.NODE_COMPILE_CACHE !== undefined || (isAbsolute(caches) && isThere(caches) && isThere(own))) {
  enableCompileCache(process.env.NODE_COMPILE_CACHE ?? own);
}

/** Makes one directory. Node makes a whole path, and never ends where it cannot, below /proc for one. */
function isThere(directory: string): boolean {
  try {
    mkdirSync(directory, { mode: 0o700 });
    return true;
  } catch (error) {
    return hasCode(error, "EEXIST");
  }
}
