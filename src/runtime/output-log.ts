import type { LogSourceName } from "../worker/messages.ts";
import type { EventsFile } from "./events-file.ts";

const newline = 0x0a;
const carriageReturn = 0x0d;
const tailBytes = 4096;

/** Turns one of a job's output streams into log records, a line each. Holds at most one line of limited length. */
export class OutputLog {
  readonly #source: LogSourceName;
  readonly #events: EventsFile;
  readonly #echo: ((chunk: Buffer) => void) | undefined;
  readonly #held: Buffer;
  #heldBytes = 0;
  #cutBytes = 0;
  #tail: Buffer = Buffer.alloc(0);

  /** A line beyond `lineLimit` bytes is cut, and says by how much. `echo` gets what is not dropped, as it comes. */
  constructor(source: LogSourceName, lineLimit: number, events: EventsFile, echo?: (chunk: Buffer) => void) {
    this.#source = source;
    this.#echo = echo;
    this.#events = events;
    this.#held = Buffer.alloc(lineLimit);
  }

  /** The last 4 KiB of the stream. */
  get tail(): string {
    return this.#tail.toString("utf8");
  }

  push(chunk: Buffer): void {
    this.#keepTail(chunk);
    if (this.#events.full) {
      this.#count(chunk);
      return;
    }
    this.#echo?.(chunk);
    this.#events.appendOutput(this.#records(chunk));
  }

  /** Appends the last line, if it has no end. */
  end(): void {
    if (this.#heldBytes + this.#cutBytes > 0) this.#events.appendOutput([this.#takeRecord()]);
  }

  #records(chunk: Buffer): string[] {
    const records: string[] = [];
    let start = 0;
    for (let end = chunk.indexOf(newline); end >= 0; end = chunk.indexOf(newline, start)) {
      this.#hold(chunk.subarray(start, end));
      records.push(this.#takeRecord());
      start = end + 1;
    }
    this.#hold(chunk.subarray(start));
    return records;
  }

  #hold(bytes: Buffer): void {
    const fitting = bytes.copy(this.#held, this.#heldBytes);
    this.#heldBytes += fitting;
    this.#cutBytes += bytes.length - fitting;
  }

  #takeRecord(): string {
    const cut = this.#cutBytes;
    const end = cut === 0 && this.#held[this.#heldBytes - 1] === carriageReturn ? this.#heldBytes - 1 : this.#heldBytes;
    const line = this.#held.toString("utf8", 0, end);
    this.#heldBytes = 0;
    this.#cutBytes = 0;
    const message = cut === 0 ? line : `${line}… [+${cut} bytes]`;
    const time = Date.now() / 1000;
    return JSON.stringify({ type: "log", time, source: this.#source, level: "", message, fields: {} });
  }

  /** What nobody will read is not taken apart: a gigabyte of it should cost little. */
  #count(chunk: Buffer): void {
    let lines = 0;
    for (let at = 0; at < chunk.length; at++) if (chunk[at] === newline) lines++;
    this.#events.drop(lines, chunk.length + this.#heldBytes + this.#cutBytes);
    this.#heldBytes = 0;
    this.#cutBytes = 0;
  }

  #keepTail(chunk: Buffer): void {
    this.#tail = Buffer.from(Buffer.concat([this.#tail, chunk.subarray(-tailBytes)]).subarray(-tailBytes));
  }
}
