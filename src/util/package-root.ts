import { existsSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";

/** The folder of this package: of its `package.json`, `python/` and `schemas/`, in a checkout and once installed. */
export const packageRoot = findUp(import.meta.dirname);

/** The version of this package. */
export const packageVersion = readVersion();

function findUp(folder: string): string {
  if (existsSync(join(folder, "package.json"))) return folder;
  const parent = dirname(folder);
  if (parent === folder) throw new Error("This package is incomplete: its package.json is missing.");
  return findUp(parent);
}

function readVersion(): string {
  const manifest: unknown = JSON.parse(readFileSync(join(packageRoot, "package.json"), "utf8"));
  const version = manifest !== null && typeof manifest === "object" && "version" in manifest ? manifest.version : "";
  return String(version);
}
