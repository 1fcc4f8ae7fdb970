import { existsSync, readFileSync } from "node:fs";
import { basename, extname, join } from "node:path";
import type { ScannedAction } from "../worker/messages.ts";

/** Where a folder without declared actions keeps them, as the JavaScript worker looks for them. */
const indexFiles = ["index.ts", "index.mts", "index.js", "index.mjs", "index.cjs"];

/** `export const NAME: Type = defineAction<…>({ name: "…"` and `export default defineAction({`. */
const exported =
  /^export\s+(?:const\s+([\w$]+)\s*(?::[^=\n]{0,200})?=|default)\s*defineAction\s*(?:<[^(\n]{0,200}>)?\(\s*\{(?:\s*name:\s*["']([^"'\n]{1,200})["'])?/gm;

/** Whether a source text calls `defineAction`. */
export function declaresActions(text: string): boolean {
  return /\bdefineAction\s*(<[^(\n]{0,200}>)?\(/.test(text);
}

/**
 * The actions that a JavaScript file visibly exports, found without running it. Reads the text by patterns: what it
 * misses, the loaded code tells.
 * @param module `./a/b.ts` relative to `root`; empty for the index file of the folder
 */
export function scanJavaScript(root: string, module: string): ScannedAction[] {
  const file = module || indexFiles.find((name) => existsSync(join(root, name)));
  if (file === undefined) return [];
  const path = file.startsWith("./") ? file : `./${file}`;
  const text = readFileSync(join(root, path), "utf8");
  return [...text.matchAll(exported)].map(([, key, name], index, all) => ({
    name: name ?? key ?? basename(path, extname(path)),
    description: "",
    entrypoint: key === undefined ? path : `${path}#${key}`,
    line: text.slice(0, all[index]?.index).split("\n").length,
  }));
}
