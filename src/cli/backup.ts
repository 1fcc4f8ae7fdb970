import { existsSync } from "node:fs";
import { mkdir, rm, writeFile } from "node:fs/promises";
import { dirname, join, resolve } from "node:path";
import { backup, DatabaseSync } from "node:sqlite";
import { isDamaged } from "../job/store/data-loss.ts";
import { lockOf } from "../job/store/database.ts";
import { openSqliteStore } from "../job/store/sqlite-store.ts";
import { packageVersion } from "../util/package-root.ts";
import { copyTree, namesIn, treeBytes } from "./backup-files.ts";
import { dataDirOption } from "./data-dir-option.ts";
import { fillDirectory, needRoom } from "./new-directory.ts";
import { oneArgument } from "./one-argument.ts";
import { type Option, readArguments } from "./options.ts";
import { print } from "./terminal.ts";
import { UsageError } from "./usage-error.ts";
import type { Verb } from "./verb.ts";

const options = [dataDirOption] as const satisfies readonly Option[];

const database = "jobs.sqlite";
const what = "the backup";
const damaged = "The database is damaged: `plugin-runner doctor --data-dir DIR` says how.";
/** All pages in one step: a step that a write comes between begins anew. */
const allPages = 2 ** 30;
/** What only a process that runs needs, or holds what it was given. */
const leftOut = /^(work|spec\.json.*|started\..*)$/;

/** `plugin-runner backup DIR`: copies what a service keeps, also while it runs. */
export const verb: Verb = {
  usage: "DIR",
  description:
    "Copies the jobs of a service with their events, files and queued work into a new directory, also while the service " +
    "runs. The copy has what jobs were given, which may be secret.",
  options,
  examples: [["backup /backups/today --data-dir /var/lib/plugin-runner", "copy what a service keeps"]],
  async run(args, io) {
    const { values, positionals } = readArguments(options, args, io.env);
    const dir = resolve(oneArgument(positionals, "DIR"));
    const from = resolve(values.dataDir);
    if (!existsSync(join(from, database)))
      throw new UsageError(`--data-dir ${values.dataDir} has no jobs.sqlite: no service has used it.`);
    if ((await namesIn(dir))?.length) throw new UsageError(`${dir} is not empty: name a new directory.`);
    let jobs = 0;
    await fillDirectory(dir, what, async () => {
      jobs = await copyAll(from, dir, io.signal);
    });
    await print(io.stdout, `${jobs} jobs of ${from} are in ${dir}.`);
    return 0;
  },
};

/** Returns how many jobs there are. */
async function copyAll(from: string, dir: string, signal: AbortSignal): Promise<number> {
  const copy = join(dir, database);
  await copyDatabase(join(from, database), copy);
  const { ids, snapshots } = await contentsOf(copy);
  const trees = [...ids].map((id) => ({ name: join("jobs", id), takes: (name: string) => !leftOut.test(name) }));
  // Before the jobs: one that ends now, and with it its snapshot, has its end in what is copied of it.
  if (snapshots.size > 0)
    trees.unshift({ name: "snapshots", takes: (name) => [...snapshots].some((one) => name.startsWith(one)) });
  let bytes = 0;
  for (const { name, takes } of trees) bytes += await treeBytes(join(from, name), takes);
  await needRoom(dir, what, bytes);
  // After the database: what a job has said since then stands in its directory, and is read from there.
  for (const { name, takes } of trees) {
    if (existsSync(join(from, name))) await copyTree(join(from, name), join(dir, name), signal, takes);
  }
  const about = { data_dir: from, version: packageVersion, time: new Date().toISOString() };
  await writeFile(join(dir, "backup.json"), JSON.stringify(about), { mode: 0o600 });
  return ids.size;
}

async function copyDatabase(from: string, to: string): Promise<void> {
  const source = new DatabaseSync(from, { readOnly: true, timeout: 5000 });
  try {
    const { page_count: pages } = source.prepare("PRAGMA page_count").get() ?? {};
    const { page_size: size } = source.prepare("PRAGMA page_size").get() ?? {};
    await needRoom(dirname(to), what, Number(pages) * Number(size));
    await mkdir(dirname(to), { recursive: true, mode: 0o700 });
    await backup(source, to, { rate: allPages });
  } catch (error) {
    throw isDamaged(error) ? new UsageError(damaged) : error;
  } finally {
    source.close();
  }
}

async function contentsOf(file: string): Promise<{ ids: ReadonlySet<string>; snapshots: ReadonlySet<string> }> {
  const store = openSqliteStore(file);
  try {
    const ids = await store.ids();
    if (!ids) throw new UsageError(damaged);
    const unfinished = await store.unfinished();
    return { ids, snapshots: new Set(unfinished.flatMap(({ record }) => record.given.files ?? [])) };
  } finally {
    await store.close();
    await rm(lockOf(file), { force: true });
  }
}
