import type { LogSourceName } from "../worker/messages.ts";
import type { Journal } from "./journal.ts";

const newline = 0x0a;
const carriageReturn = 0x0d;
const tailBytes = 4096;

/** A bar that is drawn hundreds of times a second becomes a line so often, and one more for its last state. */
const redrawMs = 1000;

/**
 * Turns one of a job's output streams into log records, a line each. Holds at most one line of limited length. What is
 * drawn over itself after a carriage return, as bars of progress are, becomes a line while it moves, at most one a second;
 * its last state always does.
 */
export class OutputLog {
  readonly #source: LogSourceName;
  readonly #journal: Journal;
  readonly #echo: ((chunk: Buffer) => void) | undefined;
  readonly #held: Buffer;
  #heldBytes = 0;
  #cutBytes = 0;
  /** Whether the open line had a carriage return. */
  #isDrawn = false;
  /** The last whole state of a drawn line. */
  #state = "";
  /** The state of it that was written last. */
  #written: string | undefined;
  #lastRedraw = Number.NEGATIVE_INFINITY;
  #tail: Buffer = Buffer.alloc(0);

  /** A line beyond `lineLimit` bytes is cut, and says by how much. `echo` gets what is not dropped, as it comes. */
  constructor(source: LogSourceName, lineLimit: number, journal: Journal, echo?: (chunk: Buffer) => void) {
    this.#source = source;
    this.#echo = echo;
    this.#journal = journal;
    this.#held = Buffer.alloc(lineLimit);
  }

  /** The last 4 KiB of the stream. */
  get tail(): string {
    return this.#tail.toString("utf8");
  }

  push(chunk: Buffer): void {
    this.#keepTail(chunk);
    if (this.#journal.full) {
      this.#count(chunk);
      return;
    }
    this.#echo?.(chunk);
    this.#journal.output(this.#records(chunk));
  }

  /** Appends the last line, if it has no end. */
  end(): void {
    if (this.#heldBytes + this.#cutBytes === 0 && this.#state === "") return;
    const records: string[] = [];
    this.#endLine(records);
    this.#journal.output(records);
  }

  #records(chunk: Buffer): string[] {
    const records: string[] = [];
    let start = 0;
    for (let end = chunk.indexOf(newline); end >= 0; end = chunk.indexOf(newline, start)) {
      this.#draw(chunk.subarray(start, end), records);
      this.#endLine(records);
      start = end + 1;
    }
    this.#draw(chunk.subarray(start), records);
    if (this.#isDrawn && this.#heldBytes > 0) this.#redraw(this.#line(), records);
    return records;
  }

  /** Takes a part of a line; what a carriage return ends is a state of it. */
  #draw(part: Buffer, records: string[]): void {
    let start = 0;
    for (let end = part.indexOf(carriageReturn); end >= 0; end = part.indexOf(carriageReturn, start)) {
      this.#hold(part.subarray(start, end));
      this.#isDrawn = true;
      if (this.#heldBytes > 0) {
        this.#state = this.#line();
        this.#redraw(this.#state, records);
      }
      this.#heldBytes = 0;
      this.#cutBytes = 0;
      start = end + 1;
    }
    this.#hold(part.subarray(start));
  }

  #redraw(state: string, records: string[]): void {
    const now = performance.now();
    if (state === this.#written || now - this.#lastRedraw < redrawMs) return;
    this.#lastRedraw = now;
    this.#written = state;
    records.push(this.#record(state));
  }

  /** A drawn line ends in its last state, which may have been written already. */
  #endLine(records: string[]): void {
    const line = this.#heldBytes > 0 ? this.#line() : this.#state;
    if (!this.#isDrawn || line !== this.#written) records.push(this.#record(line));
    this.#forgetLine();
  }

  #forgetLine(): void {
    this.#heldBytes = 0;
    this.#cutBytes = 0;
    this.#isDrawn = false;
    this.#state = "";
    this.#written = undefined;
  }

  #line(): string {
    const line = this.#held.toString("utf8", 0, this.#heldBytes);
    return this.#cutBytes === 0 ? line : `${line}… [+${this.#cutBytes} bytes]`;
  }

  #record(message: string): string {
    return this.#journal.line(this.#source, message);
  }

  #hold(bytes: Buffer): void {
    const fitting = bytes.copy(this.#held, this.#heldBytes);
    this.#heldBytes += fitting;
    this.#cutBytes += bytes.length - fitting;
  }

  /** What nobody will read is not taken apart: a gigabyte of it should cost little. */
  #count(chunk: Buffer): void {
    let lines = 0;
    for (let at = 0; at < chunk.length; at++) if (chunk[at] === newline) lines++;
    this.#journal.leaveOut(lines, chunk.length + this.#heldBytes + this.#cutBytes);
    this.#forgetLine();
  }

  #keepTail(chunk: Buffer): void {
    this.#tail = Buffer.from(Buffer.concat([this.#tail, chunk.subarray(-tailBytes)]).subarray(-tailBytes));
  }
}
