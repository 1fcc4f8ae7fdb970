import { readFileSync } from "node:fs";
import { basename, extname, join } from "node:path";
import { codeFile } from "../runtime/code-file.ts";
import type { ScannedAction } from "../worker/messages.ts";

/** `export const NAME: Type = defineAction<…>({ name: "…"` and `export default defineAction({`. */
const exported =
  /^export\s+(?:const\s+([\w$]+)\s*(?::[^=\n]{0,200})?=|default)\s*defineAction\s*(?:<[^(\n]{0,200}>)?\(\s*\{(?:\s*name:\s*["']([^"'\n]{1,200})["'])?/gm;

const declaring = /\bdefineAction\s*(<[^(\n]{0,200}>)?\(/g;

/** Whether a source text calls `defineAction`. */
export function declaresActions(text: string): boolean {
  return text.search(declaring) >= 0;
}

/**
 * The actions that a JavaScript file visibly exports, found without running it. Reads the text by patterns: what it
 * misses, the loaded code tells: a place that makes such actions is an action without a name.
 * @param module `./a/b.ts` relative to `root`; empty for the index file of the folder
 */
export function scanJavaScript(root: string, module: string): ScannedAction[] {
  const path = codeFile(root, module);
  if (path === undefined) return [];
  const text = readFileSync(join(root, path), "utf8");
  const shown = [...text.matchAll(exported)];
  const actions = shown.map(({ index, 1: key, 2: name }) => ({
    name: name ?? key ?? basename(path, extname(path)),
    description: "",
    entrypoint: key === undefined ? path : `${path}#${key}`,
    line: lineAt(text, index),
  }));
  const ends = shown.map(({ index, 0: match }) => [index, index + match.length] as const);
  const made = [...text.matchAll(declaring)].find(
    ({ index }) => !ends.some(([from, to]) => index >= from && index < to),
  );
  if (!made) return actions;
  return [...actions, { name: "", description: path.slice(2), entrypoint: path, line: lineAt(text, made.index) }];
}

function lineAt(text: string, index: number): number {
  return text.slice(0, index).split("\n").length;
}
