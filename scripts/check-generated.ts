/** Checks that what is committed under `gen` is what `npm run generate` makes of `proto` today. */
import { globSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { generate, languages, root } from "./generated.ts";

const fresh = mkdtempSync(join(tmpdir(), "plugin-runner-generated-"));
try {
  const stale = languages.filter((language) => generate(language, fresh)).flatMap(({ out }) => differences(out));
  for (const file of stale) console.error(`${file} is not up to date: run npm run generate`);
  process.exitCode = stale.length > 0 ? 1 : 0;
} finally {
  rmSync(fresh, { recursive: true });
}

function differences(out: string): string[] {
  const list = (folder: string) => globSync(`${out}/**/*.*`, { cwd: folder, exclude: ["**/__pycache__"] });
  const files = new Set([...list(root), ...list(fresh)]);
  return [...files].sort().filter((file) => read(join(root, file)) !== read(join(fresh, file)));
}

function read(file: string): string | undefined {
  try {
    return readFileSync(file, "utf8");
  } catch {
    return undefined;
  }
}
