import { existsSync } from "node:fs";
import { join } from "node:path";
import { type EnvironmentRecord, listEnvironments, removeEnvironment } from "../engine/embedded/environment-record.ts";
import { openSqliteStore } from "../job/store/sqlite-store.ts";
import { messageOf } from "../util/message-of.ts";
import { didYouMean } from "../util/nearest.ts";
import { dataDirOption, existingDataDir } from "./data-dir-option.ts";
import { columns, duration } from "./format.ts";
import { type Option, type OptionValues, readArguments } from "./options.ts";
import { print } from "./terminal.ts";
import { UsageError } from "./usage-error.ts";
import type { Io, Verb } from "./verb.ts";

const options = [
  dataDirOption,
  {
    name: "unused-for",
    type: "duration",
    default: "0s",
    description: "With prune: leave what was used within this time.",
  },
  { name: "json", type: "boolean", description: "Print one JSON object." },
] as const satisfies readonly Option[];

type Values = OptionValues<typeof options>;
type Command = (dataDir: string, rest: readonly string[], values: Values, io: Io) => Promise<void>;

const commands: Readonly<Record<string, Command>> = { ls: list, rm: remove, prune };

export const verb: Verb = {
  usage: "[ls | rm DIGEST… | prune]",
  description:
    "Lists the environments that a service has built for plugins, the one that was used last first, or removes some while " +
    "the service is down. A service removes them itself, see --environment-quota of serve.",
  options,
  examples: [
    ["environments --data-dir /var/lib/plugin-runner", "list them with their size and last use"],
    ["environments rm 3f9c", "remove one; the beginning of its digest is enough"],
    ["environments prune --unused-for 30d", "remove those that no job needs and nobody has used for long"],
  ],
  async run(args, io) {
    const { values, positionals } = readArguments(options, args, io.env);
    const [name = "ls", ...rest] = positionals;
    const command = Object.hasOwn(commands, name) ? commands[name] : undefined;
    if (!command) {
      throw new UsageError(`Unknown command: environments ${name}.${didYouMean(name, Object.keys(commands))}`);
    }
    await command(existingDataDir(values.dataDir), rest, values, io);
    return 0;
  },
};

async function list(dataDir: string, [extra]: readonly string[], { json }: Values, io: Io): Promise<void> {
  if (extra !== undefined) throw new UsageError(`Unexpected argument: ${extra}.`);
  await show(await listEnvironments(placeIn(dataDir)), json, io);
}

async function remove(dataDir: string, digests: readonly string[], { json }: Values, io: Io): Promise<void> {
  if (digests.length === 0) throw new UsageError("Name the digests of the environments to remove.");
  const found = await listEnvironments(placeIn(dataDir));
  const named = digests.map((digest) => only(digest, found));
  const needed = await neededIn(dataDir);
  const busy = named.find(({ digest }) => needed.has(digest));
  if (busy) throw new UsageError(`The environment ${busy.digest.slice(0, 12)} is needed by a job that has not ended.`);
  for (const { digest } of new Set(named)) await removeEnvironment(placeIn(dataDir), digest);
  await show([...new Set(named)], json, io);
}

async function prune(dataDir: string, [extra]: readonly string[], values: Values, io: Io): Promise<void> {
  if (extra !== undefined) throw new UsageError(`Unexpected argument: ${extra}.`);
  const needed = await neededIn(dataDir);
  const before = Date.now() - values.unusedFor;
  const found = await listEnvironments(placeIn(dataDir));
  const unused = found.filter(({ digest, lastUsed }) => lastUsed.getTime() <= before && !needed.has(digest));
  for (const { digest } of unused) await removeEnvironment(placeIn(dataDir), digest);
  await show(unused, values.json, io);
}

function placeIn(dataDir: string): string {
  return join(dataDir, "environments");
}

function only(start: string, found: readonly EnvironmentRecord[]): EnvironmentRecord {
  const [one, ...others] = found.filter(({ digest }) => digest.startsWith(start));
  if (one && others.length === 0) return one;
  throw new UsageError(one ? `Several environments begin with ${start}.` : `There is no environment ${start}.`);
}

/** What jobs need that go on while their service is down. Throws while it is not. */
async function neededIn(dataDir: string): Promise<Set<string>> {
  const file = join(dataDir, "jobs.sqlite");
  if (!existsSync(file)) return new Set();
  try {
    const store = openSqliteStore(file);
    try {
      return new Set((await store.unfinished()).flatMap(({ record }) => record.given.environment ?? []));
    } finally {
      await store.close();
    }
  } catch (error) {
    throw new UsageError(`Nothing is removed while a service runs. ${messageOf(error)}`);
  }
}

async function show(found: readonly EnvironmentRecord[], json: boolean, io: Io): Promise<void> {
  if (json) return print(io.stdout, JSON.stringify({ environments: found }));
  const now = Date.now();
  const rows = found.map(({ digest, manager, sizeBytes, lastUsed, plugins }) => [
    digest.slice(0, 12),
    manager,
    `${(sizeBytes / 1024 ** 2).toFixed(1)} MiB`,
    `${duration(Math.max(0, now - lastUsed.getTime()))} ago`,
    plugins.join(" "),
  ]);
  const heading = ["DIGEST", "MANAGER", "SIZE", "LAST USED", "PLUGINS"];
  for (const line of columns(heading, rows)) await print(io.stdout, line);
}
