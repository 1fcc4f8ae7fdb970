/** Counts what may go on at a time; those that come too many wait in order. */
export class Slots {
  readonly #limit: number;
  readonly #waiting: (() => void)[] = [];
  #taken = 0;

  constructor(limit: number) {
    this.#limit = limit;
  }

  /** Whether the next one has to wait. */
  get full(): boolean {
    return this.#taken >= this.#limit || this.#waiting.length > 0;
  }

  /** Takes a slot at once, also beyond the limit: for what goes on already. */
  force(): void {
    this.#taken++;
  }

  /** Takes a slot when one is free. Rejects with the signal's reason, and then none is taken. */
  async take(signal: AbortSignal): Promise<void> {
    signal.throwIfAborted();
    if (!this.full) {
      this.#taken++;
      return;
    }
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    const leave = () => {
      const at = this.#waiting.indexOf(resolve);
      if (at >= 0) this.#waiting.splice(at, 1);
      reject(signal.reason);
    };
    this.#waiting.push(resolve);
    signal.addEventListener("abort", leave, { once: true });
    try {
      await promise;
    } finally {
      signal.removeEventListener("abort", leave);
    }
  }

  /** Gives a slot to who waits longest. */
  release(): void {
    this.#taken--;
    if (this.#taken >= this.#limit) return;
    const next = this.#waiting.shift();
    if (!next) return;
    this.#taken++;
    next();
  }
}
