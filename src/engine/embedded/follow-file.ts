import { type FSWatcher, watch } from "node:fs";
import { open } from "node:fs/promises";
import { basename, dirname } from "node:path";
import { hasCode } from "../../util/has-code.ts";

const chunkBytes = 256 * 1024;

/** Notifications can fail to come, on network file systems for one; then this is how late a change is seen. */
const pollMs = 250;

/**
 * Yields what stands in a file from an offset on, and what is appended, as it comes. Ends when `ended` says that nobody
 * writes any more and everything was yielded. The file's folder has to exist; the file may come later.
 */
export async function* followFile(
  file: string,
  offset: number,
  ended: () => boolean,
  signal: AbortSignal,
): AsyncGenerator<Uint8Array, void, undefined> {
  const changes = new Changes(file);
  try {
    let position = offset;
    while (true) {
      signal.throwIfAborted();
      const version = changes.version;
      const over = ended();
      for await (const chunk of readFrom(file, position)) {
        position += chunk.length;
        yield chunk;
      }
      if (over) return;
      await changes.since(version, signal);
    }
  } finally {
    changes.close();
  }
}

async function* readFrom(file: string, offset: number): AsyncGenerator<Uint8Array, void, undefined> {
  const handle = await open(file, "r").catch((error: unknown) => {
    if (hasCode(error, "ENOENT")) return undefined;
    throw error;
  });
  if (!handle) return;
  try {
    let position = offset;
    while (true) {
      const buffer = Buffer.allocUnsafe(chunkBytes);
      const { bytesRead } = await handle.read(buffer, 0, chunkBytes, position);
      if (bytesRead === 0) return;
      position += bytesRead;
      yield buffer.subarray(0, bytesRead);
    }
  } finally {
    await handle.close();
  }
}

/** Counts the changes of a file. */
class Changes {
  version = 0;
  #wake: (() => void) | undefined;
  readonly #watcher: FSWatcher | undefined;

  constructor(file: string) {
    const name = basename(file);
    try {
      this.#watcher = watch(dirname(file), (_event, changed) => {
        if (changed === name || changed === null) this.#changed();
      });
      this.#watcher.on("error", () => this.#changed());
    } catch (error) {
      // Without a watch that the system has left, polling is all there is.
      if (!isExhausted(error)) throw error;
    }
  }

  /** Resolves once something changed since a version, or after the polling time. Rejects with the signal's reason. */
  since(version: number, signal: AbortSignal): Promise<void> {
    if (signal.aborted) return Promise.reject(signal.reason);
    if (version !== this.version) return Promise.resolve();
    return new Promise((resolve, reject) => {
      const end = () => {
        clearTimeout(timer);
        signal.removeEventListener("abort", abort);
        this.#wake = undefined;
      };
      const abort = () => {
        end();
        reject(signal.reason);
      };
      const wake = () => {
        end();
        resolve();
      };
      const timer = setTimeout(wake, pollMs);
      this.#wake = wake;
      signal.addEventListener("abort", abort, { once: true });
    });
  }

  close(): void {
    this.#watcher?.close();
  }

  #changed(): void {
    this.version++;
    this.#wake?.();
  }
}

function isExhausted(error: unknown): boolean {
  return hasCode(error, "ENOSPC", "EMFILE");
}
