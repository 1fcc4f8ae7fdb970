/** Checks that what is committed under `gen` is what `npm run generate` makes of `proto` today. */
import { execFileSync } from "node:child_process";
import { globSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

const root = join(import.meta.dirname, "..");
const fresh = mkdtempSync(join(tmpdir(), "plugin-runner-generated-"));
try {
  execFileSync("buf", ["generate", "--output", fresh], { cwd: root, stdio: "inherit" });
  const stale = differences(root, fresh);
  for (const file of stale) console.error(`${file} is not up to date: run npm run generate`);
  process.exitCode = stale.length > 0 ? 1 : 0;
} finally {
  rmSync(fresh, { recursive: true });
}

function differences(committed: string, generated: string): string[] {
  const list = (folder: string) => globSync("gen/**/*.*", { cwd: folder });
  const files = new Set([...list(committed), ...list(generated)]);
  return [...files].sort().filter((file) => read(join(committed, file)) !== read(join(generated, file)));
}

function read(file: string): string | undefined {
  try {
    return readFileSync(file, "utf8");
  } catch {
    return undefined;
  }
}
