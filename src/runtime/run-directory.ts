import { mkdirSync } from "node:fs";
import { rm } from "node:fs/promises";

/** The directory of one run: made when the run asks for it, and removed with it. */
export class RunDirectory {
  /** Where what the run makes known stays; empty: in the directory itself. It need not exist. */
  readonly artifacts: string;
  readonly #path: string;
  #made = false;

  /** `path` is nobody else's, and what stands above it exists. */
  constructor(path: string, artifacts: string) {
    this.#path = path;
    this.artifacts = artifacts;
  }

  /** Its absolute path. It exists once this was asked for. */
  get path(): string {
    if (!this.#made) mkdirSync(this.#path, { recursive: true, mode: 0o700 });
    this.#made = true;
    return this.#path;
  }

  /** Whether there is something to remove. */
  get made(): boolean {
    return this.#made;
  }

  async remove(): Promise<void> {
    await rm(this.#path, { recursive: true, force: true, maxRetries: 3 });
  }
}
