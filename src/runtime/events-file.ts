import type { EventRecord } from "../worker/messages.ts";
import { PatientFile } from "./patient-file.ts";

/** How much may wait while the file cannot be written: what the job prints or logs, and what it reports. */
export const outputRoom = 1024 * 1024;
export const reportRoom = 16 * outputRoom;

/** The events file of a job. What is written is of whole lines, and on its way to the disk as soon as there is room. */
export class EventsFile {
  readonly #file: PatientFile;
  readonly #limit: number;
  #used = 0;
  #full = false;
  #saidFull = false;
  #droppedLines = 0;
  #droppedBytes = 0;

  /** Output beyond `limit` bytes is counted and dropped. */
  constructor(path: string, limit: number) {
    this.#file = new PatientFile(path, {
      onDropped: ({ lines, bytes, why }) =>
        this.#say(
          `${lines} lines of output were dropped, ${bytes} bytes: the job's events could not be written (${why}).`,
        ),
    });
    this.#limit = limit;
  }

  /** Whether output is dropped from here on. */
  get full(): boolean {
    return this.#full;
  }

  /** Appends a record whatever the limit. */
  append(record: EventRecord): void {
    this.appendLine(JSON.stringify(record));
  }

  /** The same for a record that is JSON already. */
  appendLine(line: string): void {
    this.#file.append([Buffer.from(`${line}\n`)]);
  }

  /**
   * Appends records of output, as JSON, up to the limit. While the file cannot be written they wait, but where more than
   * `room` bytes wait they are dropped.
   */
  appendOutput(lines: readonly string[], room = outputRoom): void {
    const kept: Buffer[] = [];
    for (const line of lines) {
      const bytes = Buffer.from(`${line}\n`);
      if (this.#full || this.#used + bytes.length > this.#limit) this.drop(1, bytes.length);
      else {
        this.#used += bytes.length;
        kept.push(bytes);
      }
    }
    if (kept.length > 0) this.#file.append(kept, room);
    this.#sayFull();
  }

  /** Counts output that is not appended: there was no room. */
  drop(lines: number, bytes: number): void {
    this.#full = true;
    this.#droppedLines += lines;
    this.#droppedBytes += bytes;
  }

  /** Warns of something that the job may do without end: it counts as output. */
  sayOutput(message: string): void {
    this.appendOutput([JSON.stringify(warning(message))]);
  }

  /** Says how much was dropped, if anything was. */
  sayDropped(): void {
    if (this.#full)
      this.#say(`${this.#droppedLines} lines of output were dropped, ${this.#droppedBytes} bytes in all.`);
  }

  /** Resolves once all is written. Rejects with what the disk says when that takes too long, or with the signal. */
  written(signal: AbortSignal): Promise<void> {
    return this.#file.written(signal);
  }

  #sayFull(): void {
    if (!this.#full || this.#saidFull) return;
    this.#saidFull = true;
    this.#say(`The job's output has reached its limit of ${this.#limit} bytes: what follows is dropped.`);
  }

  #say(message: string): void {
    this.append(warning(message));
  }
}

function warning(message: string): EventRecord {
  return { type: "log", time: Date.now() / 1000, source: "SERVICE", level: "WARNING", message, fields: {} };
}
