import { open, rm } from "node:fs/promises";
import { join } from "node:path";
import { PluginRunnerError } from "../errors.ts";
import { storageUnavailable } from "../storage-error.ts";
import type { Log } from "../util/log.ts";
import { Troubles } from "../util/troubles.ts";
import { findStorageFault, type StorageFault, type StoragePlace, StorageSeen, writeFault } from "./storage-faults.ts";

export interface StorageOptions extends StoragePlace {
  log: Log;
  /** How often the disk is looked at, in milliseconds; default 2000. */
  intervalMs?: number;
  /** A disk that has failed is trusted again when it takes a write, and nothing has failed for so long; default 5000. */
  calmMs?: number;
}

/** What is wrong now, and since when. */
export interface StorageTrouble extends StorageFault {
  since: Date;
}

const probeBytes = 64 * 1024;

/**
 * Watches the data directory: that it is there, the same as at the start, can be written to and has room in reserve. While
 * it is not so, new jobs are refused, before those that run suffer; as soon as it is so again they are taken.
 */
export class Storage {
  readonly #seen: StorageSeen;
  readonly #log: Log;
  readonly #troubles: Troubles;
  readonly #intervalMs: number;
  readonly #calmMs: number;
  readonly #listeners: ((available: boolean) => void)[] = [];
  #trouble: StorageTrouble | undefined;
  #failed: { fault: StorageFault; at: number } | undefined;
  #looking: Promise<void> | undefined;
  #timer: NodeJS.Timeout | undefined;
  #closed = false;

  /** Remembers what is there now. */
  constructor({ log, intervalMs = 2000, calmMs = 5000, ...place }: StorageOptions) {
    this.#seen = new StorageSeen(place);
    this.#log = log;
    this.#troubles = new Troubles(log);
    this.#intervalMs = intervalMs;
    this.#calmMs = calmMs;
  }

  /** Looks for the first time, and from then on again and again. */
  async open(): Promise<void> {
    await this.#look();
    this.#wait();
  }

  /** Tells whether new jobs can be kept, at once where that is not so, and when it changes. */
  onChange(listener: (available: boolean) => void): void {
    this.#listeners.push(listener);
    if (this.#trouble) listener(false);
  }

  get trouble(): StorageTrouble | undefined {
    return this.#trouble;
  }

  /** Looks, and throws STORAGE_UNAVAILABLE when new jobs cannot be kept now. */
  async ready(): Promise<void> {
    await this.#look();
    if (!this.#trouble) return;
    const { code, message, metadata } = this.#trouble;
    throw storageUnavailable(code, message, { metadata });
  }

  /** Something failed that may be the disk's fault. */
  failed(error: unknown): void {
    if (error instanceof PluginRunnerError && error.reason !== "STORAGE_UNAVAILABLE") return;
    const fault = writeFault(this.#seen.place, error);
    if (!fault) return;
    this.#failed = { fault, at: performance.now() };
    if (!this.#trouble) this.#settle(fault);
  }

  close(): void {
    this.#closed = true;
    clearTimeout(this.#timer);
  }

  #wait(): void {
    if (this.#closed) return;
    this.#timer = setTimeout(() => this.#look().then(() => this.#wait()), this.#intervalMs).unref();
  }

  #look(): Promise<void> {
    this.#looking ??= this.#lookOnce().finally(() => {
      this.#looking = undefined;
    });
    return this.#looking;
  }

  async #lookOnce(): Promise<void> {
    const found = (await findStorageFault(this.#seen, this.#trouble)) ?? (await this.#stillFailing());
    if (!this.#closed) this.#settle(found);
  }

  /** Whether what has failed would fail again: of a quota or a broken disk only a write can tell. */
  async #stillFailing(): Promise<StorageFault | undefined> {
    const failed = this.#failed;
    if (!failed) return undefined;
    const { place } = this.#seen;
    // With the reserve free again, a disk that was full need not prove itself for long.
    const hasRoom = failed.fault.code === "ENOSPC" && place.reserve !== 0;
    if (!hasRoom && performance.now() - failed.at < this.#calmMs) return failed.fault;
    try {
      await probe(join(place.dir, ".write-check"));
      // Something else may have failed meanwhile.
      if (this.#failed === failed) this.#failed = undefined;
    } catch (error) {
      failed.fault = writeFault(place, error) ?? failed.fault;
    }
    return this.#failed?.fault;
  }

  #settle(found: StorageFault | undefined): void {
    const before = this.#trouble;
    this.#trouble = found && { ...found, since: before?.since ?? new Date() };
    if (found) {
      if (before && kindOf(before) !== kindOf(found)) this.#log("error", refusing(found), found.metadata);
      else this.#troubles.met("storage", "service", "error", refusing(found), found.metadata);
    } else this.#troubles.over("storage", "service", "the data directory is well again: new jobs are taken");
    if ((before === undefined) === (found === undefined)) return;
    for (const listener of this.#listeners) listener(found === undefined);
  }
}

/** A disk without room is one trouble, whether a look or a write finds it. */
function kindOf({ code }: StorageFault): string {
  return code === "ENOSPC" ? "reserve" : code;
}

function refusing({ message }: StorageFault): string {
  return `new jobs are refused: ${message}`;
}

async function probe(path: string): Promise<void> {
  await rm(path, { force: true }); // a service that was killed has left it
  const file = await open(path, "wx", 0o600);
  try {
    await file.writeFile(new Uint8Array(probeBytes));
    await file.sync();
  } finally {
    await file.close();
    await rm(path, { force: true });
  }
}
