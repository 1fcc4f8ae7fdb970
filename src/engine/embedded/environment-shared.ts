import { PluginRunnerError } from "../../errors.ts";
import { abortable } from "../../util/abortable.ts";
import type { BuildWatcher } from "../engine.ts";

/** Told by a build of what it does. */
export interface BuildTeller {
  report(detail: string): void;
  line(line: string): void;
  /** The last lines that it was told. */
  readonly lines: readonly string[];
}

const keptLines = 1000;

/** Work that several wait for, each for as long as it likes. It ends when nobody wants it any more. */
export class SharedBuild<T> {
  /** Resolves once the work has ended, well or not. */
  readonly settled: Promise<void>;
  readonly #result: Promise<T>;
  readonly #ending = new AbortController();
  readonly #waiters = new Set<{ watcher: BuildWatcher }>();
  readonly #lines: string[] = [];
  #wanted = 0;
  #detail = "";

  constructor(work: (tell: BuildTeller, unwanted: AbortSignal) => Promise<T>) {
    const tell = {
      report: (detail: string) => this.#report(detail),
      line: (line: string) => this.#line(line),
      lines: this.#lines,
    };
    this.#result = work(tell, this.#ending.signal);
    this.settled = this.#result.then(
      () => {},
      () => {}, // those who wait are told by `wait`
    );
  }

  /** What it said last that it is doing. */
  get detail(): string {
    return this.#detail;
  }

  /** Whether it was ended because nobody wanted it: who comes now needs another one. */
  get unwanted(): boolean {
    return this.#ending.signal.aborted;
  }

  /** Waits for the result. Rejects with the signal's reason when it aborts first. */
  async wait(watcher: BuildWatcher, signal: AbortSignal): Promise<T> {
    const waiter = { watcher };
    this.#waiters.add(waiter);
    this.#wanted++;
    if (this.#detail !== "") watcher.report?.(this.#detail);
    for (const line of this.#lines) watcher.line?.(line);
    try {
      return await abortable(this.#result, signal);
    } finally {
      this.#waiters.delete(waiter);
      if (signal.aborted && watcher.withdraws) this.#withdraw();
    }
  }

  #withdraw(): void {
    this.#wanted--;
    if (this.#wanted > 0) return;
    this.#ending.abort(new PluginRunnerError("CANCELLED", "Nobody waits for the environment any more."));
  }

  #report(detail: string): void {
    this.#detail = detail;
    for (const { watcher } of this.#waiters) watcher.report?.(detail);
  }

  #line(line: string): void {
    this.#lines.push(line);
    if (this.#lines.length > keptLines) this.#lines.shift();
    for (const { watcher } of this.#waiters) watcher.line?.(line);
  }
}
