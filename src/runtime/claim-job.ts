import { linkSync, unlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { hasCode } from "../util/has-code.ts";
import { startTime } from "../util/process.ts";
import type { ProcessIdentity } from "../worker/messages.ts";

/** Makes this process the one that carries the job of a folder. False when another one does. */
export function claimJob(dir: string): boolean {
  const identity: ProcessIdentity = { pid: process.pid, start_time: startTime(process.pid) ?? "" };
  const own = join(dir, `started.${process.pid}`);
  writeFileSync(own, JSON.stringify(identity));
  try {
    linkSync(own, join(dir, "started")); // whole or not at all, and only once
    return true;
  } catch (error) {
    if (hasCode(error, "EEXIST")) return false;
    throw error;
  } finally {
    unlinkSync(own);
  }
}
