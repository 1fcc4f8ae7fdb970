import { writeSync } from "node:fs";
import type { PrintedTo } from "./printed-frame.ts";

type Done = (error?: Error | null) => void;

/**
 * Sends what JavaScript prints to `print`, at once and in order. What programs and native code write to the descriptors goes
 * its own way.
 */
export function recordOutput(print: (stream: PrintedTo, bytes: Uint8Array) => void): void {
  for (const [stream, output] of [
    [1, process.stdout],
    [2, process.stderr],
  ] as const) {
    const write = (chunk: unknown, encoding: BufferEncoding, done: Done) => {
      const bytes = chunk instanceof Uint8Array ? chunk : Buffer.from(String(chunk), encoding);
      try {
        print(stream, bytes);
      } catch {
        writeSync(stream, bytes); // the plugin closed what it did not open
      }
      done();
    };
    Object.assign(output, { _write: write, _writev: undefined });
  }
}
