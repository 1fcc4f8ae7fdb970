import { openSync, writeSync } from "node:fs";
import type { EventRecord } from "../worker/messages.ts";

/** The events file of a job. Every write is of whole lines, and on its way to the disk when it returns. */
export class EventsFile {
  readonly #fd: number;
  readonly #limit: number;
  #used = 0;
  #full = false;
  #saidFull = false;
  #droppedLines = 0;
  #droppedBytes = 0;

  /** Output beyond `limit` bytes is counted and dropped. */
  constructor(path: string, limit: number) {
    this.#fd = openSync(path, "a", 0o600);
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
    this.#write(Buffer.from(`${line}\n`));
  }

  /** Appends records of output, as JSON, up to the limit. */
  appendOutput(lines: readonly string[]): void {
    const kept: Buffer[] = [];
    for (const line of lines) {
      const bytes = Buffer.from(`${line}\n`);
      if (this.#full || this.#used + bytes.length > this.#limit) this.drop(1, bytes.length);
      else {
        this.#used += bytes.length;
        kept.push(bytes);
      }
    }
    if (kept.length > 0) this.#write(Buffer.concat(kept));
    this.#sayFull();
  }

  /** Counts output that is not appended: there was no room. */
  drop(lines: number, bytes: number): void {
    this.#full = true;
    this.#droppedLines += lines;
    this.#droppedBytes += bytes;
  }

  /** Says how much was dropped, if anything was. */
  sayDropped(): void {
    if (this.#full)
      this.#say(`${this.#droppedLines} lines of output were dropped, ${this.#droppedBytes} bytes in all.`);
  }

  #sayFull(): void {
    if (!this.#full || this.#saidFull) return;
    this.#saidFull = true;
    this.#say(`The job's output has reached its limit of ${this.#limit} bytes: what follows is dropped.`);
  }

  #say(message: string): void {
    const time = Date.now() / 1000;
    this.append({ type: "log", time, source: "SERVICE", level: "WARNING", message, fields: {} });
  }

  #write(bytes: Buffer): void {
    for (let at = 0; at < bytes.length; ) at += writeSync(this.#fd, bytes, at);
  }
}
