import { existsSync } from "node:fs";
import { mkdir, rm, writeFile } from "node:fs/promises";
import { join, resolve } from "node:path";
import { backup, DatabaseSync } from "node:sqlite";
import { lockOf } from "../job/store/database.ts";
import { openSqliteStore } from "../job/store/sqlite-store.ts";
import { packageVersion } from "../util/package-root.ts";
import { copyTree, namesIn } from "./backup-files.ts";
import { dataDirOption } from "./data-dir-option.ts";
import { oneArgument } from "./one-argument.ts";
import { type Option, readArguments } from "./options.ts";
import { print } from "./terminal.ts";
import { UsageError } from "./usage-error.ts";
import type { Verb } from "./verb.ts";

const options = [dataDirOption] as const satisfies readonly Option[];

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
    const file = join(from, "jobs.sqlite");
    if (!existsSync(file))
      throw new UsageError(`--data-dir ${values.dataDir} has no jobs.sqlite: no service has used it.`);
    if ((await namesIn(dir))?.length) throw new UsageError(`${dir} is not empty: name a new directory.`);
    await mkdir(dir, { recursive: true, mode: 0o700 });
    const copy = join(dir, "jobs.sqlite");
    await copyDatabase(file, copy);
    const { ids, snapshots } = await contentsOf(copy);
    // Before the jobs: one that ends now, and with it its snapshot, has its end in what is copied of it.
    if (snapshots.size > 0) {
      const isNeeded = (name: string) => [...snapshots].some((one) => name.startsWith(one));
      await copyTree(join(from, "snapshots"), join(dir, "snapshots"), isNeeded);
    }
    // After the database: what a job has said since then stands in its directory, and is read from there.
    for (const id of ids) {
      if (existsSync(join(from, "jobs", id)))
        await copyTree(join(from, "jobs", id), join(dir, "jobs", id), (name) => !leftOut.test(name));
    }
    const about = { data_dir: from, version: packageVersion, time: new Date().toISOString() };
    await writeFile(join(dir, "backup.json"), JSON.stringify(about), { mode: 0o600 });
    await print(io.stdout, `${ids.size} jobs of ${from} are in ${dir}.`);
    return 0;
  },
};

async function copyDatabase(from: string, to: string): Promise<void> {
  const source = new DatabaseSync(from, { readOnly: true, timeout: 5000 });
  try {
    await backup(source, to, { rate: allPages });
  } finally {
    source.close();
  }
}

async function contentsOf(file: string): Promise<{ ids: ReadonlySet<string>; snapshots: ReadonlySet<string> }> {
  const store = openSqliteStore(file);
  try {
    const ids = await store.ids();
    if (!ids) throw new UsageError("The database is damaged: `plugin-runner doctor --data-dir DIR` says how.");
    const unfinished = await store.unfinished();
    return { ids, snapshots: new Set(unfinished.flatMap(({ record }) => record.given.files ?? [])) };
  } finally {
    await store.close();
    await rm(lockOf(file), { force: true });
  }
}
