import { type FileTree, readTree } from "./file-tree.ts";

/** The newest reading of each folder or file: plugins that are modules of one folder share it. */
export class Trees {
  readonly #trees = new Map<string, { tree: FileTree; readAt: number }>();
  readonly #reading = new Map<string, Promise<FileTree>>();

  /** The content at a path as it was at the time `notBefore` (of `performance.now()`) or later. */
  async read(path: string, notBefore: number): Promise<FileTree> {
    const known = this.#trees.get(path);
    if (known && known.readAt >= notBefore) return known.tree;
    // What is being read may have started before a change: it is waited for, not used.
    await this.#reading.get(path)?.catch(() => undefined);
    const reading = this.#reading.get(path) ?? this.#read(path);
    return reading;
  }

  async #read(path: string): Promise<FileTree> {
    const readAt = performance.now();
    const reading = readTree(path, this.#trees.get(path)?.tree);
    this.#reading.set(path, reading);
    try {
      const tree = await reading;
      this.#trees.set(path, { tree, readAt });
      return tree;
    } catch (error) {
      this.#trees.delete(path);
      throw error;
    } finally {
      this.#reading.delete(path);
    }
  }
}
