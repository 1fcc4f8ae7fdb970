import { existsSync } from "node:fs";
import { join } from "node:path";

/** Where a plugin without declared actions keeps them. */
export const indexFiles = ["index.ts", "index.mts", "index.js", "index.mjs", "index.cjs"];

/** The file that holds the actions of a plugin, as `./a/b.ts`: its module or its index file; undefined without either. */
export function codeFile(root: string, module: string): string | undefined {
  const file = module || indexFiles.find((name) => existsSync(join(root, name)));
  return file === undefined || file.startsWith("./") ? file : `./${file}`;
}
