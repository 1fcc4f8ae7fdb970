import { existsSync } from "node:fs";
import { copyFile, readFile, rename } from "node:fs/promises";
import { join, resolve } from "node:path";
import { relocateSnapshots } from "../plugin/snapshots.ts";
import { isObject } from "../util/is-object.ts";
import { copyTree, namesIn, treeBytes } from "./backup-files.ts";
import { prepareDataDir } from "./data-dir.ts";
import { fillDirectory, needRoom } from "./new-directory.ts";
import { oneArgument } from "./one-argument.ts";
import { type Option, readArguments } from "./options.ts";
import { print } from "./terminal.ts";
import { UsageError } from "./usage-error.ts";
import type { Verb } from "./verb.ts";

const options = [
  {
    name: "data-dir",
    type: "string",
    default: ".plugin-runner",
    value: "DIR",
    description: "The data directory to make. Nothing may be there.",
  },
] as const satisfies readonly Option[];

const database = "jobs.sqlite";
const what = "the restored data";

/** `plugin-runner restore DIR`: makes a data directory of a backup. */
export const verb: Verb = {
  usage: "DIR",
  description:
    "Makes a data directory from what `backup` wrote. Jobs that had ended are there with their events, queued ones start with " +
    "the service; those that ran belong to the original, and end.",
  options,
  examples: [["restore /backups/today --data-dir /var/lib/plugin-runner", "before the service is started"]],
  async run(args, io) {
    const { values, positionals } = readArguments(options, args, io.env);
    const dir = resolve(oneArgument(positionals, "DIR"));
    if (!existsSync(join(dir, "backup.json")))
      throw new UsageError(`${dir} is no whole backup: it has no backup.json.`);
    const to = resolve(values.dataDir);
    if ((await namesIn(to))?.length)
      throw new UsageError(`--data-dir ${values.dataDir} is not empty: name a new directory.`);
    await fillDirectory(to, what, async () => {
      await needRoom(to, what, await treeBytes(dir));
      prepareDataDir(values.dataDir);
      await copyTree(dir, to, io.signal, (name) => name !== "backup.json" && name !== database);
      await relocateSnapshots(join(to, "snapshots"), await originOf(dir), to);
      // Last, and under its name once it is whole: a restore that is killed leaves nothing that looks like a directory of jobs.
      await copyFile(join(dir, database), join(to, `${database}.draft`));
      await rename(join(to, `${database}.draft`), join(to, database));
    });
    await print(io.stdout, `${to} has what ${dir} had. Start the service on it.`);
    return 0;
  },
};

async function originOf(dir: string): Promise<string> {
  const about: unknown = JSON.parse(await readFile(join(dir, "backup.json"), "utf8"));
  return isObject(about) && typeof about.data_dir === "string" ? about.data_dir : "";
}
