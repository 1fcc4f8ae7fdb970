import { subscribe } from "node:diagnostics_channel";
import { EventEmitter, errorMonitor } from "node:events";

/**
 * Knows of the programs that calls start in this process and leave running. Processes of `child_process.fork` that are still
 * connected are none: they are for later calls as well.
 */
export class LeftPrograms {
  readonly #running = new Set<EventEmitter>();

  constructor() {
    subscribe("child_process", (message) => {
      const child = childOf(message);
      if (child === undefined) return;
      const forget = () => this.#running.delete(child);
      this.#running.add(child);
      child.once("exit", forget).once(errorMonitor, forget); // so that an "error" that nobody hears is still one
    });
  }

  /** Takes what runs now as what stays: it was started while code was loaded. */
  keep(): void {
    this.#running.clear();
  }

  get any(): boolean {
    for (const child of this.#running) if (Reflect.get(child, "connected") !== true) return true;
    return false;
  }
}

function childOf(message: unknown): EventEmitter | undefined {
  const child = message !== null && typeof message === "object" && "process" in message ? message.process : undefined;
  return child instanceof EventEmitter ? child : undefined;
}
