import { AsyncLocalStorage } from "node:async_hooks";
import type { PluginRunnerError } from "../errors.ts";

const storage = new AsyncLocalStorage<CodeRun | undefined>();

/** Takes what code of a run writes to an output of the process. */
export interface CodeOutput {
  push(name: "stdout" | "stderr", chunk: Uint8Array | string): void;
  /** Ends a line that has no end. */
  flush(): void;
}

/**
 * One run of a plugin's code, and whatever that leaves behind: timers, promises and listeners know for ever which run
 * they come from.
 */
export class CodeRun {
  /** The action, for messages. */
  readonly action: string;
  /** Absent: what the run prints goes where the process prints. */
  readonly output: CodeOutput | undefined;
  /** Tells runs of several plugins in one process apart. */
  readonly plugin: string;
  #reject: ((error: PluginRunnerError) => void) | undefined;

  constructor(action: string, output?: CodeOutput, plugin = "") {
    this.action = action;
    this.output = output;
    this.plugin = plugin;
  }

  /** Calls code of the run. Rejects with what it throws, or with the first fault of the run before that: see `fail`. */
  during<T>(body: () => Promise<T>): Promise<T> {
    return new Promise((resolve, reject) => {
      this.#reject = reject;
      this.within(body).then(resolve, reject);
    });
  }

  /** Calls code on behalf of the run. */
  within<T>(call: () => T): T {
    return storage.run(this, call);
  }

  /** From here on, a fault of what the run left behind fails nobody. */
  end(): void {
    this.#reject = undefined;
    this.output?.flush();
  }

  /** Ends the run with a fault that came beside its promise. One that comes later is only told. */
  fail(error: PluginRunnerError): void {
    if (this.#reject !== undefined) this.#reject(error);
    else this.#tell(`After its run had ended: ${error.message}\n${error.pluginStack}`);
  }

  #tell(text: string): void {
    const line = `${text.trimEnd()}\n`;
    if (this.output === undefined) process.stderr.write(line);
    else this.output.push("stderr", line);
  }
}

/** The run whose code is running; undefined for what belongs to none. */
export function currentRun(): CodeRun | undefined {
  return storage.getStore();
}

/**
 * Leaves the run that a fault came from. Node stays in the context of a callback that threw where `process.nextTick` had called it:
 * what is made from then on, such as the next connection, would belong to that run.
 */
export function leaveRun(): void {
  storage.enterWith(undefined);
}

/** Calls what belongs to no run. */
export function outsideOfRun(call: () => void): void {
  storage.exit(call);
}
