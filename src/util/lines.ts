const newline = 0x0a;

/** Cuts a stream of bytes into lines, without their ends. Holds back what has no end yet. */
export class LineSplitter {
  #held: Uint8Array[] = [];
  #heldBytes = 0;
  readonly #maxLineBytes: number;

  /** A line beyond `maxLineBytes` makes `push` throw a RangeError: what sends it is broken. */
  constructor(maxLineBytes: number) {
    this.#maxLineBytes = maxLineBytes;
  }

  /** The lines that end in this chunk. */
  push(chunk: Uint8Array): Buffer[] {
    const lines: Buffer[] = [];
    let start = 0;
    for (let end = chunk.indexOf(newline); end >= 0; end = chunk.indexOf(newline, start)) {
      lines.push(this.#take(chunk.subarray(start, end)));
      start = end + 1;
    }
    if (start < chunk.length) this.#hold(chunk.subarray(start));
    return lines;
  }

  #take(end: Uint8Array): Buffer {
    if (this.#heldBytes === 0) return Buffer.from(end.buffer, end.byteOffset, end.byteLength);
    this.#hold(end);
    const line = Buffer.concat(this.#held);
    this.#held = [];
    this.#heldBytes = 0;
    return line;
  }

  #hold(bytes: Uint8Array): void {
    this.#heldBytes += bytes.length;
    if (this.#heldBytes > this.#maxLineBytes) throw new RangeError(`A line of more than ${this.#maxLineBytes} bytes.`);
    this.#held.push(bytes);
  }
}
