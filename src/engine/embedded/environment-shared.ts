import { abortable } from "../../util/abortable.ts";

type Report = (detail: string) => void;

/** Work that several wait for, each for as long as it likes: it goes on without them. */
export class SharedBuild<T> {
  /** Resolves once the work has ended, well or not. */
  readonly settled: Promise<void>;
  readonly #result: Promise<T>;
  readonly #waiters = new Set<{ report: Report }>();
  #lastDetail = "";

  constructor(work: (report: Report) => Promise<T>) {
    this.#result = work((detail) => this.#report(detail));
    this.settled = this.#result.then(
      () => {},
      () => {}, // those who wait are told by `wait`
    );
  }

  /** Waits for the result. Rejects with the signal's reason when it aborts first. */
  async wait(report: Report, signal: AbortSignal): Promise<T> {
    const waiter = { report };
    this.#waiters.add(waiter);
    if (this.#lastDetail !== "") report(this.#lastDetail);
    try {
      return await abortable(this.#result, signal);
    } finally {
      this.#waiters.delete(waiter);
    }
  }

  #report(detail: string): void {
    this.#lastDetail = detail;
    for (const { report } of this.#waiters) report(detail);
  }
}
