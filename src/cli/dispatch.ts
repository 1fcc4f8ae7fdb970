import { RunnerError } from "../grpc/client-errors.ts";
import { jsonText } from "../util/json-text.ts";
import { didYouMean } from "../util/nearest.ts";
import { packageVersion } from "../util/package-root.ts";
import { exitCodeOf } from "./exit-codes.ts";
import { overview, verbHelp } from "./help.ts";
import { errorDocument, reportError } from "./report-error.ts";
import { print } from "./terminal.ts";
import { UsageError } from "./usage-error.ts";
import type { Io, Verb } from "./verb.ts";

/** Only the verb that is called is loaded. */
const verbs: Readonly<Record<string, { summary: string; load: () => Promise<{ verb: Verb }> }>> = {
  serve: { summary: "start the service", load: () => import("./serve.ts") },
  run: { summary: "run an action and print its result", load: () => import("./run.ts") },
  submit: { summary: "submit a job and watch it", load: () => import("./submit.ts") },
  watch: { summary: "watch a job", load: () => import("./watch.ts") },
  jobs: { summary: "list, show, delete or watch jobs", load: () => import("./jobs.ts") },
  cancel: { summary: "stop a job", load: () => import("./cancel.ts") },
  plugins: { summary: "list or show plugins", load: () => import("./plugins.ts") },
  validate: { summary: "check params without running anything", load: () => import("./validate.ts") },
  environments: {
    summary: "list or remove the environments of plugins",
    load: () => import("./environments.ts"),
  },
  doctor: { summary: "say what works here and on Ray", load: () => import("./doctor.ts") },
  backup: { summary: "copy what a service keeps", load: () => import("./backup.ts") },
  restore: { summary: "make a data directory from a backup", load: () => import("./restore.ts") },
  init: { summary: "make a new plugin", load: () => import("./init.ts") },
};

/** Runs one command line and returns the exit code. Errors are printed, never thrown. */
export async function dispatch(args: readonly string[], io: Io): Promise<number> {
  try {
    return await obey(args, io);
  } catch (error) {
    if (io.signal.aborted && !(error instanceof RunnerError)) return 130;
    reportError(error, io);
    if (args.includes("--json")) await print(io.stdout, jsonText(errorDocument(error)));
    return exitCodeOf(error);
  }
}

async function obey([name, ...rest]: readonly string[], io: Io): Promise<number> {
  if (name === "--version" || name === "-V" || name === "version") return answer(packageVersion, io);
  if (name === undefined || name === "--help" || name === "-h") return answer(overview(verbs), io);
  if (name === "help") return answer(rest[0] ? verbHelp(rest[0], await load(rest[0])) : overview(verbs), io);
  const verb = await load(name);
  return wantsHelp(rest) ? answer(verbHelp(name, verb), io) : verb.run(rest, io);
}

async function load(name: string): Promise<Verb> {
  const entry = Object.hasOwn(verbs, name) ? verbs[name] : undefined;
  if (entry) return (await entry.load()).verb;
  const other = Object.hasOwn(otherNames, name) ? otherNames[name] : undefined;
  const hint = other
    ? ` See \`plugin-runner ${other}\`.`
    : didYouMean(name, Object.keys(verbs)) || " `plugin-runner help` lists what there is.";
  throw new UsageError(`Unknown verb: ${name}.${hint}`);
}

/** What people call verbs that have other names here. */
const otherNames: Readonly<Record<string, string>> = {
  log: "watch JOB",
  logs: "watch JOB",
  follow: "watch JOB",
  ps: "jobs",
  ls: "jobs",
  list: "plugins",
  status: "jobs show JOB",
  show: "jobs show JOB",
  kill: "cancel JOB",
  stop: "cancel JOB",
  delete: "jobs delete JOB",
  retry: "submit PLUGIN ACTION",
  rerun: "submit PLUGIN ACTION",
  call: "run PLUGIN ACTION",
  check: "validate PLUGIN ACTION",
  start: "serve",
  server: "serve",
  new: "init NAME",
};

function wantsHelp(args: readonly string[]): boolean {
  const end = args.indexOf("--");
  return args.slice(0, end < 0 ? undefined : end).some((arg) => arg === "--help" || arg === "-h");
}

async function answer(text: string, io: Io): Promise<number> {
  await print(io.stdout, text);
  return 0;
}
