import { create } from "@bufbuild/protobuf";
import { type PluginIssue, PluginIssueSchema } from "../../gen/ts/pluginrunner/v1/plugin_pb.ts";
import type { FileTree } from "./file-tree.ts";

/** After so many changes, a file that is no code is probably written by the plugin itself. */
const manyChanges = 3;
const maxIssues = 5;
/** A plugin may write files of ever new names. */
const maxCounted = 10_000;

/** Counts how often the files of one plugin change: one that writes into its own folder is a new version each time. */
export class RestlessFiles {
  readonly #changes = new Map<string, number>();
  #last: FileTree | undefined;

  /** Takes note of a tree, which may be the same as the last one. */
  see(tree: FileTree): void {
    const last = this.#last;
    this.#last = tree;
    if (!last || last === tree) return;
    if (this.#changes.size > maxCounted) this.#changes.clear();
    for (const name of new Set([...last.files.keys(), ...tree.files.keys()])) {
      if (isCode(name) || last.files.get(name)?.hash === tree.files.get(name)?.hash) continue;
      this.#changes.set(name, (this.#changes.get(name) ?? 0) + 1);
    }
  }

  /** What the author should know of. */
  get issues(): PluginIssue[] {
    const restless = [...this.#changes].filter(([, count]) => count >= manyChanges);
    return restless.slice(0, maxIssues).map(([file, count]) => {
      const message = `${file} has changed ${count} times, each of which made a new version and new workers. If the plugin writes it: write to the context's directory instead, or name the file in .pluginrunnerignore.`;
      return create(PluginIssueSchema, { message, file });
    });
  }
}

function isCode(name: string): boolean {
  return /\.(py|[cm]?[jt]sx?|ya?ml)$/.test(name);
}
