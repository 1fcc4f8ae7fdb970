import { timestampFromDate } from "@bufbuild/protobuf/wkt";
import { type Job, JobState } from "../../gen/ts/pluginrunner/v1/job_pb.ts";
import type { Client, JobFilterInit } from "../grpc/client.ts";
import { jobToJson } from "../grpc/client-numbers.ts";
import { jsonText } from "../util/json-text.ts";
import { didYouMean } from "../util/nearest.ts";
import { pairs } from "./action-options.ts";
import { clientOptions, openClient } from "./client-options.ts";
import { jobRows } from "./job-rows.ts";
import { LiveArea } from "./live-area.ts";
import { oneArgument } from "./one-argument.ts";
import { type Option, type OptionValues, readArguments } from "./options.ts";
import { readableJson } from "./readable-json.ts";
import { isTerminal, neutral, print } from "./terminal.ts";
import { readTime } from "./time.ts";
import { UsageError } from "./usage-error.ts";
import type { Io, Verb } from "./verb.ts";

const options = [
  { name: "state", type: "list", value: "STATE", description: `Only jobs in this state: ${stateNames().join(", ")}.` },
  {
    name: "plugin",
    type: "string",
    description: "Only jobs of this plugin, as it was named when they were submitted.",
  },
  { name: "action", type: "string", description: "Only jobs of this action." },
  { name: "label", type: "list", value: "NAME=VALUE", description: "Only jobs with this label." },
  {
    name: "since",
    type: "string",
    value: "TIME",
    description:
      "Only jobs created then or later: 2h (ago), today, yesterday, 2026-11-28, 2026-11-28T09:30 or with a zone.",
  },
  { name: "until", type: "string", value: "TIME", description: "Only jobs created before then, written as --since." },
  { name: "limit", type: "integer", default: 50, min: 1, description: "How many jobs to list at most." },
  { name: "all", type: "boolean", description: "List all jobs, however many there are." },
  {
    name: "params-only",
    type: "boolean",
    description: "Of a job that is shown print only the params, as --params of run and submit takes them.",
  },
  ...clientOptions,
] as const satisfies readonly Option[];

type Values = OptionValues<typeof options>;
type Command = (client: Client, rest: readonly string[], values: Values, io: Io) => Promise<void>;

const commands: Readonly<Record<string, Command>> = { ls: list, show, delete: remove, watch };

export const verb: Verb = {
  usage: "[ls | show JOB | delete JOB | watch]",
  description:
    "Lists jobs, newest first; shows one with its params and result; deletes one that has ended, with its events and " +
    "files; or watches the list.",
  options,
  examples: [
    ["jobs --state running --state pending", "list what is under way"],
    ["jobs --state failed --since yesterday", "list what has failed since yesterday"],
    ["jobs show nightly-7", "show all about one job"],
    ["jobs show nightly-7 --params-only | plugin-runner submit digits train --params -", "run a job again"],
    ["jobs delete nightly-7", "delete one that has ended"],
    ["jobs watch --label team=vision", "keep the list up to date until Ctrl-C"],
  ],
  async run(args, io) {
    const { values, positionals } = readArguments(options, args, io.env);
    const [name = "ls", ...rest] = positionals;
    const command = Object.hasOwn(commands, name) ? commands[name] : undefined;
    if (!command) throw new UsageError(`Unknown command: jobs ${name}.${didYouMean(name, Object.keys(commands))}`);
    await using client = openClient(values, io);
    await command(client, rest, values, io);
    return 0;
  },
};

async function list(client: Client, rest: readonly string[], values: Values, io: Io): Promise<void> {
  nothingMore(rest);
  const limit = values.all ? Number.POSITIVE_INFINITY : values.limit;
  const jobs: Job[] = [];
  let more = false;
  for await (const job of client.listJobs(filterOf(values), io.signal)) {
    more = jobs.length >= limit;
    if (more) break;
    jobs.push(job);
  }
  if (values.json) await print(io.stdout, jsonText({ jobs: jobs.map((job) => jobToJson(job)) }));
  else for (const row of jobRows(jobs)) await print(io.stdout, row);
  if (more) io.stderr.write(`There are more jobs than the ${limit} shown: --limit N lists so many, --all lists all.\n`);
}

async function show(client: Client, rest: readonly string[], { json, paramsOnly }: Values, io: Io): Promise<void> {
  const found = await client.getJob(oneArgument(rest, "job"), io.signal);
  if (paramsOnly) return await print(io.stdout, readableJson(found.params ?? {}));
  const job = jobToJson(found);
  await print(io.stdout, json ? jsonText(job) : neutral(jsonText(job, 2)));
}

async function remove(client: Client, rest: readonly string[], { json }: Values, io: Io): Promise<void> {
  const jobId = oneArgument(rest, "job");
  await client.deleteJob(jobId, io.signal);
  await print(io.stdout, json ? JSON.stringify({ deletedJobId: jobId }) : `Deleted job ${jobId}.`);
}

/** On a terminal the list is drawn again as it changes; elsewhere each change is a line. */
async function watch(client: Client, rest: readonly string[], values: Values, io: Io): Promise<void> {
  nothingMore(rest);
  const jobs = new Map<string, Job>();
  const newestFirst = () => [...jobs.values()].toSorted((a, b) => Number(created(b) - created(a)));
  const live = !values.json && isTerminal(io.stdout);
  using area = live ? new LiveArea(io.stdout, () => jobRows(newestFirst().slice(0, values.limit))) : undefined;
  for await (const { snapshot, removedJobId } of client.watchJobs(filterOf(values), { signal: io.signal })) {
    if (snapshot) jobs.set(snapshot.jobId, snapshot);
    else jobs.delete(removedJobId);
    if (area) area.update();
    else if (values.json)
      await print(io.stdout, jsonText(snapshot ? { snapshot: jobToJson(snapshot) } : { removedJobId }));
    else await print(io.stdout, snapshot ? (jobRows([snapshot])[1] ?? "") : `${removedJobId} removed`);
  }
}

function created(job: Job): bigint {
  return (job.createTime?.seconds ?? 0n) * 1_000_000_000n + BigInt(job.createTime?.nanos ?? 0);
}

function filterOf({ state, plugin = "", action = "", label, since, until }: Values): JobFilterInit {
  return {
    states: state.map(stateOf),
    plugin,
    action,
    labels: Object.fromEntries(pairs("--label", label)),
    ...(since !== undefined && { createdAfter: timestampFromDate(readTime("--since", since)) }),
    ...(until !== undefined && { createdBefore: timestampFromDate(readTime("--until", until)) }),
  };
}

function stateOf(text: string): JobState {
  const state = Object.entries(JobState).find(([name]) => name === text.toUpperCase())?.[1];
  if (state === undefined) throw new UsageError(`--state: expected one of ${stateNames().join(", ")}, not ${text}.`);
  return state;
}

function stateNames(): string[] {
  return Object.keys(JobState)
    .filter((name) => name !== "UNSPECIFIED")
    .map((name) => name.toLowerCase());
}

function nothingMore([extra]: readonly string[]): void {
  if (extra !== undefined) throw new UsageError(`Unexpected argument: ${extra}.`);
}
