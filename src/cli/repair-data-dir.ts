import { copyFileSync, existsSync, mkdirSync, renameSync, rmSync } from "node:fs";
import { basename, join } from "node:path";
import { lock } from "../job/store/database.ts";
import { type Salvaged, salvage } from "../job/store/salvage.ts";
import { messageOf } from "../util/message-of.ts";
import type { DataDirFaults } from "./doctor-data-dir.ts";
import { UsageError } from "./usage-error.ts";

/**
 * Saves what can be read of a broken database into a new one. What is replaced, and what no record knows, goes to
 * `set-aside`; nothing is removed. Returns what was done and what was lost, a line each.
 * @throws UsageError while a service uses the directory
 */
export async function repairDataDir(dir: string, examine: () => DataDirFaults): Promise<string[]> {
  const file = join(dir, "jobs.sqlite");
  const release = lockFor(file);
  try {
    const faults = examine();
    if (!faults.database && faults.drafts.length === 0 && faults.strays.length === 0)
      return ["Nothing had to be repaired."];
    const aside = join(dir, "set-aside", new Date().toISOString().replaceAll(":", "-"));
    mkdirSync(aside, { recursive: true, mode: 0o700 });
    const lines: string[] = [];
    if (faults.database) lines.push(...(await replaceDatabase(file, aside)));
    for (const path of faults.drafts) move(path, aside);
    if (faults.drafts.length > 0) lines.push(`${faults.drafts.length} drafts were set aside.`);
    lines.push(`What was replaced is in ${aside}.`);
    return lines;
  } finally {
    release();
  }
}

function lockFor(file: string): () => void {
  try {
    return lock(file, 0);
  } catch (error) {
    throw new UsageError(`Nothing is repaired while a service runs. ${messageOf(error)}`);
  }
}

async function replaceDatabase(file: string, aside: string): Promise<string[]> {
  const work = join(aside, "work.sqlite");
  const fresh = join(aside, "fresh.sqlite");
  const { jobs, events, lost } = await saved(file, aside, work, fresh).catch((error: unknown) => {
    rmSync(aside, { recursive: true, force: true });
    throw new UsageError(`Nothing was changed: what can be read could not be saved in ${aside}. ${messageOf(error)}`);
  });
  // The log first: beside another database it would be taken for that one's.
  for (const end of ["-wal", "-shm"]) rmSync(`${file}${end}`, { force: true });
  renameSync(fresh, file);
  for (const end of ["", "-wal", "-shm", ".lock"]) {
    for (const left of [work, fresh]) rmSync(`${left}${end}`, { force: true });
  }
  return [`${jobs} jobs with ${events} events were saved.`, ...lost.map((line) => `lost: ${line}`)];
}

async function saved(file: string, aside: string, work: string, fresh: string): Promise<Salvaged> {
  for (const end of ["", "-wal"].filter((one) => existsSync(`${file}${one}`))) {
    copyFileSync(`${file}${end}`, join(aside, `jobs.sqlite${end}`));
    copyFileSync(`${file}${end}`, `${work}${end}`);
  }
  return salvage(work, fresh);
}

/** Under the name of its job. */
function move(path: string, aside: string): void {
  const to = join(aside, basename(join(path, "..")));
  mkdirSync(to, { recursive: true, mode: 0o700 });
  renameSync(path, join(to, basename(path)));
}
