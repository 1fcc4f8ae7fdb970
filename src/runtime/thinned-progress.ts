import type { EventRecord } from "../worker/messages.ts";

type Progress = Extract<EventRecord, { type: "progress" }>;

/**
 * Of progress that comes in quick succession the newest of each step is written: every 10 ms at first, and ever more rarely
 * the longer the job runs, up to once a second. So a tight loop costs next to nothing, and its progress does not eat up the
 * limit of the job's output.
 */
export class ThinnedProgress {
  readonly #write: (record: Progress) => void;
  readonly #started = Date.now();
  readonly #pending = new Map<string, Progress>();
  #flushed = 0;
  #timer: NodeJS.Timeout | undefined;

  constructor(write: (record: Progress) => void) {
    this.#write = write;
  }

  add(record: Progress): void {
    this.#pending.set(record.step, record);
    const now = Date.now();
    const interval = Math.min(1000, Math.max(10, (now - this.#started) / 1000));
    if (now - this.#flushed >= interval) this.flush();
    else this.#timer ??= setTimeout(() => this.flush(), interval).unref();
  }

  /** Writes what waits: to be called before anything else is written, and at the end. */
  flush(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    if (this.#pending.size === 0) return;
    const waiting = [...this.#pending.values()];
    this.#pending.clear();
    this.#flushed = Date.now();
    for (const record of waiting) this.#write(record);
  }
}
