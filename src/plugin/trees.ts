import { type FileTree, readTree } from "./file-tree.ts";
import { OwnWrites } from "./own-writes.ts";

export interface TreesOptions {
  /** Whether runs on this machine may write into their plugins' directories without making new versions. Default: true */
  ownWrites?: boolean;
}

/** The newest reading of each folder or file: plugins that are modules of one folder share it. */
export class Trees {
  readonly #ownWrites: boolean;
  readonly #trees = new Map<string, { tree: FileTree; readAt: number }>();
  readonly #reading = new Map<string, Promise<FileTree>>();
  readonly #writes = new Map<string, OwnWrites>();

  constructor({ ownWrites = true }: TreesOptions = {}) {
    this.#ownWrites = ownWrites;
  }

  /**
   * The content at a path as it was at the time `notBefore` (of `performance.now()`) or later. For an action that is to run
   * counts, too, what runs of others have written.
   */
  async read(path: string, notBefore: number, action?: string): Promise<FileTree> {
    return this.writes(path).countFor(action, await this.#newest(path, notBefore));
  }

  /** What runs write at a path. */
  writes(path: string): OwnWrites {
    const known = this.#writes.get(path) ?? new OwnWrites();
    this.#writes.set(path, known);
    return known;
  }

  /** To be called when a run begins whose plugin's content stands at a path; what it returns, once the run has ended. */
  begin(path: string, action: string): () => void {
    return this.#ownWrites ? this.writes(path).begin(action) : nothing;
  }

  async #newest(path: string, notBefore: number): Promise<FileTree> {
    const known = this.#trees.get(path);
    if (known && known.readAt >= notBefore) return known.tree;
    // What is being read may have started before a change: it is waited for, not used.
    await this.#reading.get(path)?.catch(() => undefined);
    const reading = this.#reading.get(path) ?? this.#read(path);
    return reading;
  }

  async #read(path: string): Promise<FileTree> {
    const readAt = performance.now();
    const writes = this.writes(path);
    const soFar = writes.soFar();
    const before = this.#trees.get(path)?.tree;
    const reading = readTree(path, before);
    this.#reading.set(path, reading);
    try {
      const tree = await reading;
      writes.judge(before, tree, soFar);
      this.#trees.set(path, { tree, readAt });
      return tree;
    } catch (error) {
      this.#trees.delete(path);
      this.#writes.delete(path);
      throw error;
    } finally {
      this.#reading.delete(path);
    }
  }
}

function nothing(): void {}
