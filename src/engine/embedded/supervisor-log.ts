import { closeSync, openSync, readFileSync, writeSync } from "node:fs";
import { join } from "node:path";
import { PluginRunnerError } from "../../errors.ts";
import { hasCode } from "../../util/has-code.ts";

const file = "supervisor.log";

/** Room that is there before the disk is full: what a supervisor says of that is written over it. */
const reserved = Buffer.alloc(4096, "\n");
const shownCharacters = 4096;

/**
 * Opens what the supervisor of a job writes its own words to, which are few: that it found no room on the disk, or how it
 * failed. "ignore" where that cannot be had.
 */
export function openSupervisorLog(dir: string): number | "ignore" {
  const path = join(dir, file);
  try {
    reserve(path);
    return openSync(path, "r+");
  } catch {
    return "ignore";
  }
}

/** Why a job ended without a word, if its supervisor has said anything. */
export function lastWordsOf(dir: string): PluginRunnerError | undefined {
  const said = read(join(dir, file)).slice(-shownCharacters).trim();
  if (said === "") return undefined;
  const lastLine = said.slice(said.lastIndexOf("\n") + 1);
  return new PluginRunnerError("WORKER_LOST", `The job's process is gone and left no word but this: ${lastLine}`, {
    metadata: { stderr_tail: said },
  });
}

/** One that is there may be written to by another process that is about to carry the job. */
function reserve(path: string): void {
  try {
    const fd = openSync(path, "wx", 0o600);
    try {
      writeSync(fd, reserved);
    } finally {
      closeSync(fd);
    }
  } catch (error) {
    if (!hasCode(error, "EEXIST")) throw error;
  }
}

function read(path: string): string {
  try {
    return readFileSync(path, "utf8");
  } catch {
    return "";
  }
}
