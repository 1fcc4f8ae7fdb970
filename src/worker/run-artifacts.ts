import { randomUUID } from "node:crypto";
import { mkdirSync } from "node:fs";
import { readdir, rm, stat } from "node:fs/promises";
import { join } from "node:path";
import type { Log } from "../util/log.ts";
import { Troubles } from "../util/troubles.ts";

const shortestPauseMs = 500;
const longestPauseMs = 60_000;

/** Keeps what runs made known for a time, also over restarts of the service. What belongs to jobs goes with them. */
export class RunArtifacts {
  readonly #dir: string;
  readonly #keepMs: number;
  readonly #troubles: Troubles;
  readonly #timer: NodeJS.Timeout;
  #sweeping = false;

  /** `keepMs` 0 keeps nothing longer than its run. */
  constructor({ dir, keepMs, log }: { dir: string; keepMs: number; log: Log }) {
    this.#dir = dir;
    this.#keepMs = keepMs;
    this.#troubles = new Troubles(log);
    mkdirSync(dir, { recursive: true, mode: 0o700 });
    const pauseMs = Math.min(Math.max(keepMs / 10, shortestPauseMs), longestPauseMs);
    this.#timer = setInterval(() => this.#sweep(), pauseMs).unref();
    this.#sweep();
  }

  /** Where the runs of one process keep theirs, each with a suffix of its own; empty where they are not kept. */
  place(): string {
    return this.#keepMs === 0 ? "" : join(this.#dir, randomUUID());
  }

  close(): void {
    clearInterval(this.#timer);
  }

  #sweep(): void {
    if (this.#sweeping) return; // to remove much may take longer than a pause
    this.#sweeping = true;
    this.#removeOld()
      .then(
        () => this.#troubles.over("removal", "", "artifacts of runs can be removed again"),
        (error: unknown) =>
          this.#troubles.met("removal", "", "warn", "artifacts of runs could not be removed", { error }),
      )
      .finally(() => {
        this.#sweeping = false;
      });
  }

  /** The age of a directory is that of its last artifact. */
  async #removeOld(): Promise<void> {
    const before = Date.now() - this.#keepMs;
    for (const name of await readdir(this.#dir)) {
      const path = join(this.#dir, name);
      const { mtimeMs } = await stat(path);
      if (this.#keepMs === 0 || mtimeMs < before) await rm(path, { recursive: true, force: true });
    }
  }
}
