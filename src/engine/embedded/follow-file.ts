import { constants, type FSWatcher, watch } from "node:fs";
import { open } from "node:fs/promises";
import { basename, dirname } from "node:path";
import { hasCode } from "../../util/has-code.ts";

const chunkBytes = 256 * 1024;

/** Notifications can fail to come, on network file systems for one; then this is how late a change is seen. */
const pollMs = 250;

/** What stands where the file should be cannot be read, now or later. */
export class DamagedFile extends Error {
  override readonly name = "DamagedFile";
}

const damages: Readonly<Record<string, string>> = {
  ENOENT: "it was removed",
  EISDIR: "it is no file",
  EACCES: "this user may not read it",
  EPERM: "this user may not read it",
  ELOOP: "it is a link in a circle",
  ENXIO: "it is no file",
};

/**
 * Yields what stands in a file from an offset on, and what is appended, as it comes. Ends when `ended` says that nobody
 * writes any more and everything was yielded. The file's directory has to exist; the file may come later. Of a file that was cut
 * goes on what comes after the cut. Throws DamagedFile for what is no file, or is gone again.
 */
export async function* followFile(
  file: string,
  offset: number,
  ended: () => boolean | Promise<boolean>,
  signal: AbortSignal,
): AsyncGenerator<Uint8Array, void, undefined> {
  const changes = new Changes(file);
  try {
    const at = { position: offset };
    while (true) {
      signal.throwIfAborted();
      const version = changes.version;
      const over = await ended();
      yield* readFrom(file, at);
      if (over) return;
      await changes.since(version, signal);
    }
  } finally {
    changes.close();
  }
}

async function* readFrom(file: string, at: { position: number }): AsyncGenerator<Uint8Array, void, undefined> {
  const handle = await openFile(file, at.position > 0);
  if (!handle) return;
  try {
    const stats = await handle.stat();
    if (!stats.isFile()) throw new DamagedFile(damages.EISDIR);
    at.position = Math.min(at.position, stats.size);
    while (true) {
      const buffer = Buffer.allocUnsafe(chunkBytes);
      const { bytesRead } = await handle.read(buffer, 0, chunkBytes, at.position);
      if (bytesRead === 0) return;
      at.position += bytesRead;
      yield buffer.subarray(0, bytesRead);
    }
  } finally {
    await handle.close();
  }
}

/** Undefined where there is no file yet. Never waits for the other end of what is none. */
async function openFile(file: string, expected: boolean) {
  try {
    return await open(file, constants.O_RDONLY | constants.O_NONBLOCK);
  } catch (error) {
    if (hasCode(error, "ENOENT") && !expected) return undefined;
    const damage = Object.keys(damages).find((code) => hasCode(error, code));
    throw damage === undefined ? error : new DamagedFile(damages[damage], { cause: error });
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
