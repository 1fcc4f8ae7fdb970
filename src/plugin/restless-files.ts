import { create } from "@bufbuild/protobuf";
import { type PluginIssue, PluginIssueSchema } from "../../gen/ts/pluginrunner/v1/plugin_pb.ts";
import { changedFiles, type FileTree } from "./file-tree.ts";
import { isCode } from "./is-code.ts";

/** After so many changes, a file that is no code is probably written by the plugin itself. */
const manyChanges = 3;
const maxIssues = 5;
/** A plugin may write files of ever new names. */
const maxCounted = 10_000;

/** Counts how often the files of one plugin change: one that writes into its own directory may be a new version each time. */
export class RestlessFiles {
  readonly #changes = new Map<string, number>();
  #last: FileTree | undefined;

  /** Takes note of a tree, which may be the same as the last one. Returns the names of the files that changed since. */
  see(tree: FileTree): readonly string[] {
    const last = this.#last;
    this.#last = tree;
    if (!last || last === tree) return [];
    if (this.#changes.size > maxCounted) this.#changes.clear();
    const changed = changedFiles(last, tree);
    for (const name of changed) if (!isCode(name)) this.#changes.set(name, (this.#changes.get(name) ?? 0) + 1);
    return changed;
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
