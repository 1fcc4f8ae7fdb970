import { join } from "node:path";
import { resolvePython } from "../engine/embedded/environment-python.ts";
import type { Log } from "../util/log.ts";
import { packageRoot } from "../util/package-root.ts";

/**
 * Leaves the place of a container's first process, if this is it, to a program that waits for the orphans of plugins, and
 * goes on as its child: Node waits for no processes but those that it started. Resolves where this process may go on.
 */
export async function yieldFirstPlace(python: string, log: Log, signal: AbortSignal): Promise<void> {
  if (process.pid !== 1 || !process.execve) return;
  try {
    const { path } = await resolvePython(python, signal);
    const reaper = join(packageRoot, "python", "plugin_runner", "first_process.py");
    const command = [process.execPath, ...process.execArgv, ...process.argv.slice(1)];
    process.execve(path, [path, "-I", "-S", reaper, ...command]);
  } catch (error) {
    log("warn", "what plugins leave is not waited for: start the container with an init (--init)", { error });
  }
}
