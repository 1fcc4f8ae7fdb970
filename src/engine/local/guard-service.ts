import { writeSync } from "node:fs";
import { inspect } from "node:util";
import { pluginOnStack } from "../../runtime/module-hooks.ts";
import { guardProcess } from "../../runtime/run-guard.ts";
import type { Log } from "../../util/log.ts";

let isGuarded = false;

/**
 * Keeps plugins that run in this process from ending it, for the life of the process. A fault that is no plugin's ends it
 * as it would without the guard.
 */
export function guardService(log: Log): void {
  if (isGuarded) return;
  isGuarded = true;
  const exit = process.exit.bind(process);
  const isAlone = process.listenerCount("uncaughtException") === 0;
  guardProcess({
    ends: ["exit", "reallyExit", "abort", "execve", "kill", "emit"],
    pluginOf: pluginOnStack,
    unowned(thrown, plugin = pluginOnStack(thrown instanceof Error ? String(thrown.stack) : "")) {
      if (plugin !== undefined) log("error", "code of a plugin threw outside of its runs", { plugin, error: thrown });
      else if (isAlone) fail(thrown, exit);
    },
  });
}

/** As Node does with what nobody catches. */
function fail(thrown: unknown, exit: (code: number) => never): never {
  writeSync(2, `Uncaught ${inspect(thrown)}\n\nNode.js ${process.version}\n`);
  return exit(1);
}
