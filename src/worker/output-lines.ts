import { StringDecoder } from "node:string_decoder";
import type { JsonObject } from "@bufbuild/protobuf";
import type { LogSourceName } from "./messages.ts";

/** A line that a run wrote, or a record of its logger. `timeMs` is in milliseconds since 1970. */
export interface OutputLine {
  timeMs: number;
  source: LogSourceName;
  /** Empty for what was printed. */
  level: string;
  message: string;
  fields?: JsonObject;
}

/** Longer lines are cut, and say by how much, as those of jobs. */
const maxLineLength = 16 * 1024;

/** Of one run no more is taken apart: a gigabyte that is printed must cost the service little. */
const maxRunBytes = 1024 * 1024;

/** A bar that is drawn hundreds of times a second becomes a line so often, and one more for its last state. */
const redrawMs = 1000;

/**
 * Cuts what one run after the other writes to a stream into lines, decoded as UTF-8. Holds at most one line of limited
 * length; of what a run writes beyond 1 MiB only the number of bytes is told, at its end. What is drawn over itself
 * after a carriage return, as bars of progress are, becomes a line while it moves, at most one a second, and one for its last state.
 */
export class OutputLines {
  readonly #decoder = new StringDecoder("utf8");
  readonly #take: (text: string) => void;
  readonly #now: () => number;
  #held = "";
  #cut = 0;
  /** The last whole state of an open line that is drawn. */
  #state: string | undefined;
  /** The state of it that was taken last. */
  #shown: string | undefined;
  #lastRedraw = Number.NEGATIVE_INFINITY;
  #taken = 0;
  #dropped = 0;

  constructor(take: (text: string) => void, now: () => number = () => performance.now()) {
    this.#take = take;
    this.#now = now;
  }

  push(chunk: Buffer): void {
    if (this.#taken >= maxRunBytes) {
      this.#dropped += chunk.length;
      return;
    }
    this.#taken += chunk.length;
    const text = this.#decoder.write(chunk);
    let start = 0;
    for (let end = text.indexOf("\n"); end >= 0; end = text.indexOf("\n", start)) {
      this.#draw(text.slice(start, end));
      this.#end();
      start = end + 1;
    }
    this.#draw(text.slice(start));
    if (this.#state !== undefined && this.#held !== "") this.#redraw(this.#line());
  }

  /** Ends a run: what is held is a line, and the next run starts anew. */
  flush(): void {
    this.#end();
    this.next();
  }

  /** The next run starts anew, but for what is held: its end may be still to come. */
  next(): void {
    if (this.#dropped > 0) this.#take(`… [+${this.#dropped} bytes]`);
    this.#taken = 0;
    this.#dropped = 0;
  }

  /** Takes a part of a line; what a carriage return ends is a state of it. */
  #draw(part: string): void {
    let start = 0;
    for (let end = part.indexOf("\r"); end >= 0; end = part.indexOf("\r", start)) {
      this.#hold(part.slice(start, end));
      this.#state = this.#held === "" ? (this.#state ?? "") : this.#line();
      this.#redraw(this.#state);
      this.#clear();
      start = end + 1;
    }
    this.#hold(part.slice(start));
  }

  #redraw(state: string): void {
    const now = this.#now();
    if (state === "" || state === this.#shown || now - this.#lastRedraw < redrawMs) return;
    this.#lastRedraw = now;
    this.#shown = state;
    this.#take(state);
  }

  /** A drawn line ends in its last state, which may have been taken already. */
  #end(): void {
    const line = this.#held === "" ? (this.#state ?? "") : this.#line();
    if (line !== "" && line !== this.#shown) this.#take(line);
    this.#clear();
    this.#state = undefined;
    this.#shown = undefined;
  }

  #line(): string {
    return this.#cut === 0 ? this.#held : `${this.#held}… [+${this.#cut} characters]`;
  }

  #clear(): void {
    this.#held = "";
    this.#cut = 0;
  }

  #hold(text: string): void {
    const fitting = text.slice(0, maxLineLength - this.#held.length);
    this.#held += fitting;
    this.#cut += text.length - fitting.length;
  }
}
