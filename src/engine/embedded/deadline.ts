import { maxTimerMs } from "../../util/timer.ts";

/** Does something once a moment has come, unless it is cleared before. */
export class Deadline {
  #timer: NodeJS.Timeout | undefined;

  /** @param at milliseconds since 1970; may be past */
  set(at: number, passed: () => void): void {
    this.clear();
    const left = Math.max(at - Date.now(), 0);
    const next = left > maxTimerMs ? () => this.set(at, passed) : passed;
    this.#timer = setTimeout(next, Math.min(left, maxTimerMs));
  }

  clear(): void {
    clearTimeout(this.#timer);
  }
}
