import { readdirSync, readFileSync, renameSync, rmSync, statSync, utimesSync, writeFileSync } from "node:fs";
import { lstat, readdir, rm } from "node:fs/promises";
import { join } from "node:path";
import { isObject } from "../../util/is-object.ts";
import { pacer } from "../../util/pace.ts";

/** Stands in a directory once it is complete, and says for which interpreter. Its time is that of the last use. */
export const marker = "plugin-runner-complete";

/** Says what a complete environment is. */
const recordFile = "plugin-runner-environment.json";

const removed = ".removed";

/** An environment that is complete. */
export interface EnvironmentRecord {
  /** The name of its directory. */
  digest: string;
  manager: string;
  /** The codes of plugins that have used it. */
  plugins: string[];
  sizeBytes: number;
  lastUsed: Date;
}

/** The interpreter that a directory was completed for; undefined when it was not completed. */
export function markerOf(folder: string): string | undefined {
  try {
    return readFileSync(join(folder, marker), "utf8");
  } catch {
    return undefined;
  }
}

/** Writes down that a plugin uses an environment now. One that is gone meanwhile is left alone. */
export function noteUse(folder: string, manager: string, plugin: string): void {
  const now = new Date();
  try {
    utimesSync(join(folder, marker), now, now);
    const known = readRecord(folder);
    if (known.plugins?.includes(plugin)) return;
    const plugins = [...(known.plugins ?? []), plugin].sort();
    writeFileSync(join(folder, recordFile), JSON.stringify({ ...known, manager, plugins }));
  } catch {
    // It is about the order in which environments are removed, and never worth a failed call.
  }
}

/** Measures an environment, and writes that down: it changes no more. */
export async function noteSize(folder: string): Promise<void> {
  const sizeBytes = await sizeOf(folder);
  writeFileSync(join(folder, recordFile), JSON.stringify({ ...readRecord(folder), sizeBytes }));
}

/** The complete environments in a directory, the one that was used last first. */
export async function listEnvironments(dir: string): Promise<EnvironmentRecord[]> {
  const found: EnvironmentRecord[] = [];
  for (const digest of namesIn(dir)) {
    const folder = join(dir, digest);
    const stats = statSync(join(folder, marker), { throwIfNoEntry: false });
    if (!stats) continue;
    const { manager = "", plugins = [], sizeBytes = await sizeOf(folder) } = readRecord(folder);
    found.push({ digest, manager, plugins, sizeBytes, lastUsed: stats.mtime });
  }
  return found.sort((a, b) => b.lastUsed.getTime() - a.lastUsed.getTime());
}

/** Removes an environment. It counts as gone at once, and a new one of its digest may be built. */
export async function removeEnvironment(dir: string, digest: string): Promise<void> {
  const gone = join(dir, `${digest}-${process.pid}-${performance.now()}${removed}`);
  rmSync(join(dir, digest, marker), { force: true });
  renameSync(join(dir, digest), gone);
  await rm(gone, { recursive: true, force: true, maxRetries: 3 });
}

/** The names in a directory; none when it is not there. */
export function namesIn(dir: string): string[] {
  try {
    return readdirSync(dir);
  } catch {
    return []; // nothing was built yet
  }
}

function readRecord(folder: string): Partial<Pick<EnvironmentRecord, "manager" | "plugins" | "sizeBytes">> {
  try {
    const record: unknown = JSON.parse(readFileSync(join(folder, recordFile), "utf8"));
    const { manager, plugins, sizeBytes } = isObject(record) ? record : {};
    return {
      ...(typeof manager === "string" && { manager }),
      ...(Array.isArray(plugins) && { plugins: plugins.map(String) }),
      ...(typeof sizeBytes === "number" && { sizeBytes }),
    };
  } catch {
    return {};
  }
}

/** What its files take on the disk. */
async function sizeOf(folder: string): Promise<number> {
  const pause = pacer();
  let bytes = 0;
  for (const entry of await readdir(folder, { recursive: true, withFileTypes: true })) {
    const stats = entry.isFile() ? await lstat(join(entry.parentPath, entry.name)).catch(() => undefined) : undefined;
    bytes += (stats?.blocks ?? 0) * 512;
    await pause();
  }
  return bytes;
}
