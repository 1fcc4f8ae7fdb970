import type { Writable } from "node:stream";
import { fit } from "./terminal.ts";

/** Fast enough for the eye, and slow enough that a flood of output costs little. */
const frameMs = 50;

/** Lines at the bottom of a terminal that are drawn again and again, while other lines scroll past above them. */
export class LiveArea implements Disposable {
  readonly #stream: Writable & { columns?: number; rows?: number };
  readonly #content: () => readonly string[];
  #above: string[] = [];
  #drawn = 0;
  #timer: NodeJS.Timeout | undefined;

  /** `content` is asked for the lines of the area whenever it is drawn. */
  constructor(stream: Writable & { columns?: number; rows?: number }, content: () => readonly string[]) {
    this.#stream = stream;
    this.#content = content;
  }

  /** Prints lines above the area. */
  print(...lines: readonly string[]): void {
    this.#above.push(...lines);
    this.update();
  }

  /** Draws the area again, soon. */
  update(): void {
    this.#timer ??= setTimeout(() => this.#draw(), frameMs);
  }

  /** Draws a last time and leaves the lines as they are. */
  [Symbol.dispose](): void {
    this.#draw();
  }

  #draw(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    // A terminal that does not know its size says 0.
    const rows = Math.max(1, (this.#stream.rows || 24) - 1);
    const columns = (this.#stream.columns || 80) - 1;
    const lines = this.#content()
      .slice(0, rows)
      .map((line) => fit(line, columns));
    // The terminal may have shown ^C, or something typed, in front of the cursor.
    const erase = this.#drawn > 0 ? `\r\x1b[${this.#drawn}A\x1b[J` : "";
    this.#stream.write(erase + [...this.#above, ...lines].map((line) => `${line}\n`).join(""));
    this.#above = [];
    this.#drawn = lines.length;
  }
}
