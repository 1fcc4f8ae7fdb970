import { createHash } from "node:crypto";
import { readFile, stat } from "node:fs/promises";
import { PluginRunnerError } from "../../errors.ts";
import { compareText } from "../../util/compare-text.ts";
import { ZipWriter } from "../../util/zip.ts";
import type { PackageFile } from "./package-files.ts";

/** What a dashboard takes. */
export const maxPackageBytes = 100 * 1024 * 1024;

const shownFiles = 5;

/** A package as it is uploaded. */
export interface Package {
  /** `_ray_pkg_<16 hex>.zip`, by the content. */
  name: string;
  content: Buffer;
}

/**
 * Packs files: the same content makes the same package.
 * @param what it is that is packed, for messages
 * @throws PLUGIN_INVALID for what is too large, with the largest files
 */
export async function packFiles(
  what: string,
  files: readonly PackageFile[],
  maxBytes: number = maxPackageBytes,
): Promise<Package> {
  const zip = new ZipWriter();
  for (const { name, path } of [...files].sort((a, b) => compareText(a.name, b.name))) {
    const [content, { mode }] = await Promise.all([readFile(path), stat(path)]);
    await zip.add({ name, content, executable: (mode & 0o100) !== 0 });
    if (zip.size > maxBytes) throw await tooLarge(what, files, maxBytes);
  }
  return named(zip.end());
}

/** A package of one file that stands nowhere. */
export async function packText(name: string, text: string): Promise<Package> {
  const zip = new ZipWriter();
  await zip.add({ name, content: Buffer.from(text), executable: false });
  return named(zip.end());
}

function named(content: Buffer): Package {
  const digest = createHash("sha256").update(content).digest("hex");
  return { name: `_ray_pkg_${digest.slice(0, 16)}.zip`, content };
}

async function tooLarge(what: string, files: readonly PackageFile[], maxBytes: number): Promise<PluginRunnerError> {
  const sizes = await Promise.all(files.map(async ({ name, path }) => ({ name, size: (await stat(path)).size })));
  const largest = sizes
    .sort((a, b) => b.size - a.size)
    .slice(0, shownFiles)
    .map(({ name, size }) => `${name} (${mebibytes(size)} MiB)`)
    .join(", ");
  const limit = mebibytes(maxBytes);
  return new PluginRunnerError(
    "PLUGIN_INVALID",
    `${what} takes more than the ${limit} MiB that a package for Ray may have. List what is not code in its .pluginrunnerignore. The largest files: ${largest}.`,
    { metadata: { limit_bytes: String(maxBytes), largest_files: largest } },
  );
}

function mebibytes(bytes: number): string {
  return (bytes / 1024 ** 2).toFixed(1);
}
