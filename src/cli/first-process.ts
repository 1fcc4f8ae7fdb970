import { join, resolve } from "node:path";
import { findOnPath } from "../util/find-on-path.ts";
import type { Log } from "../util/log.ts";
import { packageRoot } from "../util/package-root.ts";

/**
 * Leaves the place of a container's first process, if this is it, to a program that waits for the orphans of plugins, and
 * goes on as its child: Node waits for no processes but those that it started. Returns where this process may go on.
 */
export function yieldFirstPlace(python: string, log: Log): void {
  if (process.pid !== 1 || process.platform === "win32") return;
  const program = python.includes("/") ? resolve(python) : findOnPath(python);
  try {
    if (program === undefined || !process.execve) throw new Error(`${python} is not on PATH`);
    const reaper = join(packageRoot, "python", "plugin_runner", "first_process.py");
    const command = [process.execPath, ...process.execArgv, ...process.argv.slice(1)];
    process.execve(program, [program, "-I", "-S", reaper, ...command]);
  } catch (error) {
    log("warn", "what plugins leave is not waited for: start the container with an init (--init)", { error });
  }
}
