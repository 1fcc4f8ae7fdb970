import { onceAfter } from "../../util/timer.ts";

/** Does something once a moment has come, unless it is cleared before. */
export class Deadline {
  #clear = () => {};

  /** @param at milliseconds since 1970; may be past */
  set(at: number, passed: () => void): void {
    this.#clear();
    this.#clear = onceAfter(Math.max(at - Date.now(), 0), passed);
  }

  clear(): void {
    this.#clear();
  }
}
