import { PluginRunnerError } from "../errors.ts";
import { actionFailed } from "./plugin-failure.ts";

/** What `process.exit` throws while the guard stands, to end the plugin's code there. */
class ExitError extends Error {
  override readonly name = "ExitError";
}

/**
 * Keeps a plugin from ending the process: stray exceptions and rejections, and calls of `process.exit`, fail the run that
 * is under way. Without one they go to standard error.
 */
export class RunGuard {
  #action = "";
  #fail: ((error: PluginRunnerError) => void) | undefined;

  /** Puts the guard up, for the life of the process. Returns the `process.exit` that still exits. */
  install(): (code: number) => never {
    const exit = process.exit.bind(process);
    process.on("uncaughtException", (error) => this.#stray(error));
    process.on("unhandledRejection", (error) => this.#stray(error));
    process.on("beforeExit", () => this.#fail?.(neverSettles(this.#action)));
    process.exit = (code) => {
      const shown = String(code ?? process.exitCode ?? 0);
      this.#fail?.(exitCalled(this.#action, shown));
      throw new ExitError(`process.exit(${shown}) was called in a process that other runs share.`);
    };
    return exit;
  }

  /** Runs one run under the guard: rejects with the first fault, whether it is the run's own or a stray one. */
  run<T>(action: string, body: () => Promise<T>): Promise<T> {
    return new Promise<T>((resolve, reject) => {
      this.#action = action;
      this.#fail = reject;
      body().then(resolve, reject);
    }).finally(() => {
      this.#fail = undefined;
      process.exitCode = undefined;
    });
  }

  #stray(thrown: unknown): void {
    if (thrown instanceof ExitError) return; // its run has failed already
    if (this.#fail !== undefined) this.#fail(actionFailed(this.#action, thrown));
    else process.stderr.write(`After its run, the plugin threw ${actionFailed(this.#action, thrown).pluginStack}\n`);
  }
}

/** The ACTION_FAILED for an action that ended its process. */
export function exitCalled(action: string, code: string): PluginRunnerError {
  return new PluginRunnerError(
    "ACTION_FAILED",
    `Action ${action} called process.exit(${code}): return or throw instead.`,
    {
      metadata: { action, exit_code: code },
      exceptionType: "ProcessExit",
    },
  );
}

/** The ACTION_FAILED for an action that waits for nothing. */
export function neverSettles(action: string): PluginRunnerError {
  const message = `Action ${action} returned a promise that never settles: nothing is left that it could wait for.`;
  return new PluginRunnerError("ACTION_FAILED", message, { metadata: { action } });
}
