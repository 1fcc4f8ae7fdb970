import { openSync, writeSync } from "node:fs";
import { setTimeout as delay } from "node:timers/promises";
import { hasCode } from "../util/has-code.ts";
import { messageOf } from "../util/message-of.ts";

export const retryMs = 500;

/** How long the end of a job may wait: somebody makes room one day; a disk that fails seldom gets well. */
const patienceMs = { full: 24 * 60 * 60 * 1000, failing: 10 * 60 * 1000 } as const;

/** How many lines and bytes were dropped, and why. */
export interface Dropped {
  lines: number;
  bytes: number;
  why: string;
}

export interface PatientFileOptions {
  /** Called once there is room again and something was dropped meanwhile. */
  onDropped(dropped: Dropped): void;
  write?: (fd: number, lines: Buffer) => number;
}

/**
 * A file on a disk that may be full, slow or failing. Whole lines are appended in order; what cannot be written waits, and
 * is tried again every half a second.
 */
export class PatientFile {
  readonly #path: string;
  readonly #options: PatientFileOptions;
  #fd: number | undefined;
  readonly #waiting: Buffer[] = [];
  #waitingBytes = 0;
  #dropped = { lines: 0, bytes: 0 };
  #error: unknown;
  #timer: NodeJS.Timeout | undefined;

  constructor(path: string, options: PatientFileOptions) {
    this.#path = path;
    this.#options = options;
  }

  /** Lines that have to wait are dropped, and counted, where more than `room` bytes would wait with them. */
  append(lines: readonly Buffer[], room = Number.POSITIVE_INFINITY): void {
    for (const line of lines) {
      if (this.#error !== undefined && this.#waitingBytes + line.length > room) {
        this.#dropped.lines++;
        this.#dropped.bytes += line.length;
      } else {
        this.#waiting.push(line);
        this.#waitingBytes += line.length;
      }
    }
    if (this.#error === undefined) this.flush();
  }

  /** Writes what waits, as far as there is room. Whether that was all. */
  flush(): boolean {
    clearTimeout(this.#timer);
    try {
      this.#write();
    } catch (error) {
      this.#error = error;
      this.#timer = setTimeout(() => this.flush(), retryMs);
      return false;
    }
    const why = messageOf(this.#error);
    this.#error = undefined;
    const dropped = this.#dropped;
    this.#dropped = { lines: 0, bytes: 0 };
    if (dropped.lines > 0) this.#options.onDropped({ ...dropped, why });
    return this.#error === undefined;
  }

  /** Resolves once all is written. Rejects with what the disk says when that takes too long, or with the signal. */
  async written(signal: AbortSignal): Promise<void> {
    const began = performance.now();
    while (!this.flush()) {
      clearTimeout(this.#timer);
      const patience = hasCode(this.#error, "ENOSPC", "EDQUOT") ? patienceMs.full : patienceMs.failing;
      if (signal.aborted || performance.now() - began > patience) throw this.#error;
      await delay(retryMs, undefined, { signal }).catch(() => {});
    }
  }

  #write(): void {
    this.#fd ??= openSync(this.#path, "a", 0o600);
    const { write = writeSync } = this.#options;
    while (this.#waiting[0] !== undefined) {
      const [first] = this.#waiting;
      const lines = this.#waiting.length === 1 ? first : Buffer.concat(this.#waiting);
      this.#waiting.splice(0, this.#waiting.length, lines);
      const written = write(this.#fd, lines);
      this.#waiting.length = 0;
      this.#waitingBytes -= written;
      if (written < lines.length) this.#waiting.push(lines.subarray(written)); // the rest of a line has to come next
      if (written === 0) throw Object.assign(new Error("ENOSPC: no space left on device, write"), { code: "ENOSPC" });
    }
  }
}
