/**
 * Bounds how many jobs go on at a time; those that come too many wait in order. A job has one slot at most, however often it
 * is given one, and what has none can be released: whoever tries a job again need not know where the last try ended.
 */
export class Slots {
  readonly #limit: number;
  readonly #waiting: { id: string; go: () => void }[] = [];
  readonly #holders = new Set<string>();

  constructor(limit: number) {
    this.#limit = limit;
  }

  /** Whether a job would have to wait. */
  full(id: string): boolean {
    return !this.#holders.has(id) && (this.#holders.size >= this.#limit || this.#waiting.length > 0);
  }

  /** Gives a job a slot at once, also beyond the limit: for what goes on already. */
  force(id: string): void {
    this.#holders.add(id);
  }

  /** Gives a job a slot when one is free. Rejects with the signal's reason, and then none is taken. */
  async take(id: string, signal: AbortSignal): Promise<void> {
    signal.throwIfAborted();
    if (!this.full(id)) {
      this.#holders.add(id);
      return;
    }
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    const waiting = { id, go: resolve };
    const leave = () => {
      const at = this.#waiting.indexOf(waiting);
      if (at >= 0) this.#waiting.splice(at, 1);
      reject(signal.reason);
    };
    this.#waiting.push(waiting);
    signal.addEventListener("abort", leave, { once: true });
    try {
      await promise;
    } finally {
      signal.removeEventListener("abort", leave);
    }
  }

  /** Gives the slot of a job to who waits longest. */
  release(id: string): void {
    if (!this.#holders.delete(id) || this.#holders.size >= this.#limit) return;
    const next = this.#waiting.shift();
    if (!next) return;
    this.#holders.add(next.id);
    next.go();
  }
}
