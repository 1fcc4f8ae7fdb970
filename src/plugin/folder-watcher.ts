import { type FSWatcher, watch } from "node:fs";
import type { Log } from "../util/log.ts";
import { isIgnoredName } from "./file-tree.ts";

/** The system has a limit for all processes together. */
const maxWatches = 512;

/** A plugin with more folders is left to the look that is taken every other second. */
const maxFolders = 64;

interface Group {
  folders: readonly string[];
  watchers: FSWatcher[];
}

/** Says when something changes in the folders of plugins that are in use; the least used ones give way to new ones. */
export class FolderWatcher {
  readonly #groups = new Map<string, Group>();
  readonly #log: Log;
  #count = 0;

  constructor(log: Log) {
    this.#log = log;
  }

  /**
   * Watches exactly these folders for `key`, which becomes the last to give way. `changed` may be called more than once.
   * Says whether anything was watched anew: changes just before were missed.
   */
  watch(key: string, folders: readonly string[], changed: () => void): "anew" | "as before" {
    const known = this.#groups.get(key);
    this.#groups.delete(key);
    if (known && sameFolders(known.folders, folders)) {
      this.#groups.set(key, known);
      return "as before";
    }
    this.#end(known);
    const wanted = folders.length > maxFolders ? [] : folders;
    for (const [oldest, group] of this.#groups) {
      if (this.#count + wanted.length <= maxWatches) break;
      this.#groups.delete(oldest);
      this.#end(group);
    }
    const watchers = wanted.flatMap((folder) => this.#start(folder, changed));
    this.#groups.set(key, { folders, watchers });
    this.#count += watchers.length;
    return watchers.length > 0 ? "anew" : "as before";
  }

  close(): void {
    for (const group of this.#groups.values()) this.#end(group);
    this.#groups.clear();
  }

  #end(group: Group | undefined): void {
    for (const watcher of group?.watchers ?? []) watcher.close();
    this.#count -= group?.watchers.length ?? 0;
  }

  #start(folder: string, changed: () => void): FSWatcher[] {
    try {
      const watcher = watch(folder, { persistent: false }, (_, name) => {
        if (name === null || !isIgnoredName(name)) changed();
      });
      watcher.on("error", (error) => {
        this.#log("debug", "a folder cannot be watched any more", { folder, error });
        changed();
      });
      return [watcher];
    } catch (error) {
      this.#log("debug", "a folder cannot be watched", { folder, error });
      return [];
    }
  }
}

function sameFolders(a: readonly string[], b: readonly string[]): boolean {
  return a.length === b.length && a.every((folder, index) => folder === b[index]);
}
