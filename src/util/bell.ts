/** Wakes one who waits again and again. A ring that comes while nobody waits is kept for the next wait. */
export class Bell {
  #rung = false;
  #wake: (() => void) | undefined;

  ring(): void {
    const wake = this.#wake;
    this.#rung = wake === undefined;
    this.#wake = undefined;
    wake?.();
  }

  /** Resolves with the next ring, or at once when there was one since the last wait. */
  wait(): Promise<void> {
    if (!this.#rung) return new Promise(this.#keep);
    this.#rung = false;
    return Promise.resolve();
  }

  readonly #keep = (resolve: () => void): void => {
    this.#wake = resolve;
  };
}
