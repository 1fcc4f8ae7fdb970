import { silentLog } from "../util/log.ts";
import { packageVersion } from "../util/package-root.ts";
import { accessOptions } from "./client-options.ts";
import { existingDataDir } from "./data-dir-option.ts";
import { examineMachine, examineRay, type Finding } from "./doctor-checks.ts";
import { examineDataDir } from "./doctor-data-dir.ts";
import { examineService } from "./doctor-service.ts";
import { exitCodeFor } from "./exit-codes.ts";
import { type Option, readArguments } from "./options.ts";
import { rayOptions } from "./ray-options.ts";
import { repairDataDir } from "./repair-data-dir.ts";
import { neutral, print } from "./terminal.ts";
import { UsageError } from "./usage-error.ts";
import type { Io, Verb } from "./verb.ts";

const options = [
  { name: "python", type: "string", default: "python3", value: "COMMAND", description: "The Python to look at." },
  { name: "address", type: "string", value: "HOST:PORT", description: "A service to ask how it is." },
  ...accessOptions,
  {
    name: "data-dir",
    type: "string",
    value: "DIR",
    description: "Look at the data directory of a service instead: its database and the files of its jobs.",
  },
  {
    name: "repair",
    type: "boolean",
    description: "With --data-dir, while the service is down: save what can be read, and set the rest aside.",
  },
  ...rayOptions,
  { name: "json", type: "boolean", description: "Print one JSON array of findings." },
] as const satisfies readonly Option[];

const marks = { good: "ok   ", poor: "warn ", bad: "FAIL " } as const;

/** `plugin-runner doctor`: what the service would find on this machine and, with `--ray`, on a cluster. */
export const verb: Verb = {
  usage: "",
  description:
    "Says what a service would find here and, with --ray, on a cluster, how the service at --address is, and what to do about what is wrong. On Ray it starts the gateway, as a service does.",
  options,
  examples: [
    ["doctor", "look at this machine"],
    ["doctor --address 127.0.0.1:50151", "and at a service that runs"],
    ["doctor --ray http://head:8265", "and at a Ray cluster"],
    ["doctor --data-dir /var/lib/plugin-runner", "look for damage in the data of a service"],
    ["doctor --data-dir /var/lib/plugin-runner --repair", "and save what can be read, while the service is down"],
  ],
  async run(args, io) {
    const { values, positionals } = readArguments(options, args, io.env);
    if (positionals.length > 0) throw new UsageError(`Unexpected argument: ${positionals[0]}.`);
    const { ray, address, dataDir } = values;
    if (dataDir !== undefined) return doctorOf(dataDir, values, io);
    if (values.repair) throw new UsageError("--repair needs --data-dir.");
    const findings = await examineMachine(values.python, io.signal);
    if (address !== undefined) findings.push(...(await examineService({ ...values, address }, io)));
    if (ray !== undefined) findings.push(...(await examineRay({ ...values, ray }, io.env, silentLog, io.signal)));
    await show(findings, values.json, io);
    const bad = findings.find(({ state }) => state === "bad");
    if (bad === undefined) return 0;
    return exitCodeFor(bad.reason ?? "INTERNAL");
  },
};

async function doctorOf(path: string, { repair, json }: { repair: boolean; json: boolean }, io: Io): Promise<number> {
  const dir = existingDataDir(path);
  const { findings } = examineDataDir(dir);
  if (!repair) {
    await show(findings, json, io);
    return findings.some(({ state }) => state === "bad") ? 1 : 0;
  }
  const done = await repairDataDir(dir, () => examineDataDir(dir));
  const repaired = done.map((detail): Finding => ({ subject: "repair", state: "good", detail }));
  await show([...findings, ...repaired], json, io);
  return 0;
}

async function show(findings: readonly Finding[], json: boolean, io: Io): Promise<void> {
  if (json) return print(io.stdout, JSON.stringify(findings));
  const width = Math.max(...findings.map(({ subject }) => subject.length));
  const lines = findings.flatMap(({ subject, state, detail, hint }) => [
    `${marks[state]}${subject.padEnd(width)}  ${neutral(detail)}`,
    ...(hint === undefined ? [] : [`${" ".repeat(width + 7)}${hint}`]),
  ]);
  await print(io.stdout, [`plugin-runner ${packageVersion}`, ...lines].join("\n"));
}
