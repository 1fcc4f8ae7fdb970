import { abortable } from "./abortable.ts";

/**
 * Work whose result callers share. It goes on when one of them leaves; its result is kept, unless it failed or `keep`
 * says no.
 */
export class SharedWork<T> {
  readonly #work: () => Promise<T>;
  readonly #keep: (result: T) => boolean;
  #running: Promise<T> | undefined;

  constructor(work: () => Promise<T>, keep: (result: T) => boolean = () => true) {
    this.#work = work;
    this.#keep = keep;
  }

  /** The result. Rejects with the signal's reason when that comes first. */
  async get(signal: AbortSignal): Promise<T> {
    signal.throwIfAborted();
    this.#running ??= this.#start();
    return abortable(this.#running, signal);
  }

  #start(): Promise<T> {
    const forget = () => {
      this.#running = undefined;
    };
    const running = this.#work();
    running.then((result) => {
      if (!this.#keep(result)) forget();
    }, forget);
    return running;
  }
}
