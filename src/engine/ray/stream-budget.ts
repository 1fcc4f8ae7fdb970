/** Counts the streams that are open at a dashboard, which serves only about 100 for everybody. */
export class StreamBudget {
  readonly #limit: number;
  #open = 0;

  constructor(limit: number) {
    this.#limit = limit;
  }

  /** Takes one, and returns what gives it back; undefined when there is none. Half are for jobs that are watched. */
  take(watched: boolean): (() => void) | undefined {
    if (this.#open >= (watched ? this.#limit : this.#limit / 2)) return undefined;
    this.#open++;
    let given = false;
    return () => {
      if (!given) this.#open--;
      given = true;
    };
  }
}
