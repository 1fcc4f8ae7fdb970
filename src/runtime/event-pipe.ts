import { writeSync } from "node:fs";
import { hasCode } from "../util/has-code.ts";
import { jsonText } from "../util/json-text.ts";
import type { EventRecord, WithinMessage } from "../worker/messages.ts";
import { cutText } from "./cut-text.ts";
import { type PrintedTo, printedFrame } from "./printed-frame.ts";
import { ThinnedProgress } from "./thinned-progress.ts";

/** Metrics and fields beyond this say only how large they were. */
const maxFieldsBytes = 256 * 1024;
const retryMs = 5;
const maxFrameBytes = 64 * 1024;

/**
 * The child's end of its event pipe. Every write is synchronous: an event that was reported is not lost by a crash or an
 * exit right after it, and a plugin that reports faster than the disk waits. Progress alone is thinned.
 */
export class EventPipe {
  readonly #fd: number;
  readonly #lineLimit: number;
  readonly #progress = new ThinnedProgress((record) => this.#append(record));

  /** Texts beyond `lineLimit` bytes are cut. */
  constructor(fd: number, lineLimit: number) {
    this.#fd = fd;
    this.#lineLimit = lineLimit;
  }

  readonly write = (record: EventRecord): void => {
    if (record.type === "progress") {
      this.#progress.add(record);
    } else {
      this.#progress.flush();
      this.#append(record);
    }
  };

  /** Says something to the supervisor alone. */
  tell(message: WithinMessage): void {
    this.#writeAll(Buffer.from(`${jsonText({ ...message, time: Date.now() / 1000 })}\n`));
  }

  /** Writes what was printed to a stream, in its place among the records. */
  readonly print = (stream: PrintedTo, bytes: Uint8Array): void => {
    this.#progress.flush();
    for (let at = 0; at < bytes.length; at += maxFrameBytes) {
      this.#writeAll(printedFrame(stream, bytes.subarray(at, at + maxFrameBytes)));
    }
  };

  #append(record: EventRecord): void {
    const line = jsonText(this.#bounded(record));
    this.#writeAll(Buffer.from(`${line}\n`));
  }

  #writeAll(bytes: Buffer): void {
    for (let at = 0; at < bytes.length; ) at += this.#writeSome(bytes, at);
  }

  #bounded(record: EventRecord): EventRecord {
    const text = (value: string) => cutText(value, this.#lineLimit);
    switch (record.type) {
      case "log":
        return { ...record, message: text(record.message), fields: boundedFields(record.fields) };
      case "progress":
        return { ...record, step: text(record.step), message: text(record.message) };
      case "metrics":
        return { ...record, step: text(record.step), values: boundedFields(record.values) };
      case "artifact":
        return { ...record, name: text(record.name), metadata: boundedFields(record.metadata) };
      default:
        return record;
    }
  }

  #writeSome(bytes: Buffer, at: number): number {
    try {
      return writeSync(this.#fd, bytes, at);
    } catch (error) {
      if (!hasCode(error, "EAGAIN")) throw error;
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, retryMs); // the plugin made the pipe non-blocking
      return 0;
    }
  }
}

function boundedFields<T extends object>(fields: T): T | { truncated: string } {
  const { length } = JSON.stringify(fields);
  return length <= maxFieldsBytes ? fields : { truncated: `${length} characters` };
}
