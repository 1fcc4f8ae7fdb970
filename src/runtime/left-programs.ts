import { subscribe } from "node:diagnostics_channel";
import { EventEmitter, errorMonitor } from "node:events";
import { createRequire, registerHooks, syncBuiltinESMExports } from "node:module";
import { youngerOfScope } from "../util/kill-scope.ts";
import { parentOf } from "../util/process.ts";

/** What starts programs and says so on no channel. */
const waiting = ["execSync", "execFileSync", "spawnSync"];

/**
 * Knows of the programs that calls start in this process and leave running, also those whose parent has ended: they carry
 * the scope of this process. Processes of `child_process.fork` that are still connected are none, nor is what they start:
 * they are for later calls as well.
 */
export class LeftPrograms {
  readonly #scope: string;
  readonly #running = new Set<EventEmitter>();
  #kept: ReadonlySet<number> = new Set();
  /** Whether programs were started since all that run were looked at, which takes its time. */
  #started = false;

  constructor(scope: string) {
    this.#scope = scope;
    subscribe("child_process", (message) => {
      const child = childOf(message);
      if (child === undefined) return;
      const forget = () => this.#running.delete(child);
      this.#started = true;
      this.#running.add(child);
      child.once("exit", forget).once(errorMonitor, forget); // so that an "error" that nobody hears is still one
    });
    const note = () => {
      this.#started = true;
    };
    const hooks = registerHooks({
      resolve(specifier, context, next) {
        if (/^(node:)?child_process$/.test(specifier)) {
          hooks.deregister(); // first: to load it asks again
          noteWaiting(note);
        }
        return next(specifier, context);
      },
    });
  }

  /** Takes what runs now as what stays: it was started while code was loaded. */
  keep(): void {
    this.#running.clear();
    if (this.#started) this.#kept = youngerOfScope("PLUGIN_RUNNER_SCOPE", this.#scope);
    this.#started = false;
  }

  get any(): boolean {
    for (const child of this.#running) if (!isConnected(child)) return true;
    if (!this.#started) return false;
    this.#started = false;
    const staying = new Set([
      ...this.#kept,
      ...Array.from(this.#running, (child) => Number(Reflect.get(child, "pid"))),
    ]);
    for (const pid of youngerOfScope("PLUGIN_RUNNER_SCOPE", this.#scope)) if (!comesFrom(staying, pid)) return true;
    return false;
  }
}

function comesFrom(staying: ReadonlySet<number>, pid: number): boolean {
  for (let at: number | undefined = pid; at !== undefined && at > 1; at = parentOf(at))
    if (staying.has(at)) return true;
  return false;
}

function isConnected(child: EventEmitter): boolean {
  return Reflect.get(child, "connected") === true;
}

/** Has `child_process` tell of the programs that it waits for. Not before it is asked for: it takes its time to load. */
function noteWaiting(note: () => void): void {
  const library: object = createRequire(import.meta.url)("node:child_process");
  for (const name of waiting) {
    const original: unknown = Reflect.get(library, name);
    if (typeof original !== "function") continue;
    Reflect.set(library, name, (...args: unknown[]) => {
      note();
      return Reflect.apply(original, library, args);
    });
  }
  syncBuiltinESMExports();
}

function childOf(message: unknown): EventEmitter | undefined {
  const child = message !== null && typeof message === "object" && "process" in message ? message.process : undefined;
  return child instanceof EventEmitter ? child : undefined;
}
