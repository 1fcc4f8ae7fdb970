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

/**
 * Cuts what one run after the other writes to a stream into lines, decoded as UTF-8. Holds at most one line of limited
 * length; of what a run writes beyond 1 MiB only the number of bytes is told, at its end.
 */
export class OutputLines {
  readonly #decoder = new StringDecoder("utf8");
  readonly #take: (text: string) => void;
  #held = "";
  #cut = 0;
  #taken = 0;
  #dropped = 0;

  constructor(take: (text: string) => void) {
    this.#take = take;
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
      this.#hold(text.slice(start, end));
      this.#end();
      start = end + 1;
    }
    this.#hold(text.slice(start));
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

  #end(): void {
    const line = shown(this.#held);
    const cut = this.#cut;
    this.#held = "";
    this.#cut = 0;
    if (line !== "" || cut > 0) this.#take(cut === 0 ? line : `${line}… [+${cut} characters]`);
  }

  #hold(text: string): void {
    const fitting = text.slice(0, maxLineLength - this.#held.length);
    this.#held += fitting;
    this.#cut += text.length - fitting.length;
  }
}

/** A progress bar draws over itself after each carriage return: what stands there in the end is the line. */
function shown(line: string): string {
  const text = line.replace(/\r+$/, "");
  return text.slice(text.lastIndexOf("\r") + 1);
}
