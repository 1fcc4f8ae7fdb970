import { type ChildProcess, spawn } from "node:child_process";
import { randomUUID } from "node:crypto";
import { existsSync, linkSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { mkdir, rename, rm, writeFile } from "node:fs/promises";
import { availableParallelism, totalmem } from "node:os";
import { join } from "node:path";
import type { Resources } from "../../../gen/ts/pluginrunner/v1/plugin_pb.ts";
import { requestInvalid } from "../../errors.ts";
import { hasCode } from "../../util/has-code.ts";
import { jsonText } from "../../util/json-text.ts";
import { killScope } from "../../util/kill-scope.ts";
import type { Log } from "../../util/log.ts";
import { kill, killGroup, startTime } from "../../util/process.ts";
import type { Launcher } from "../../worker/launcher.ts";
import type { JobSpec, ProcessIdentity } from "../../worker/messages.ts";
import { scopeVariable } from "../../worker/worker-process.ts";
import type { JobEngine, JobStart } from "../engine.ts";
import { type JobLimits, jobSpecOf } from "../job-spec.ts";
import type { Environments } from "./environment.ts";
import { followFile } from "./follow-file.ts";
import { Slots } from "./slots.ts";

export interface EmbeddedJobEngineOptions extends JobLimits {
  /** A folder with one folder for each job. */
  dir: string;
  launcher: Launcher;
  /** The variables of this service that plugins are meant to see. */
  passedEnv: Readonly<Record<string, string>>;
  environments: Environments;
  maxRunning: number;
  log: Log;
}

/** A process that has claimed its job writes into its folder: see docs/protocol.md. */
const files = { spec: "spec.json", started: "started", events: "events.jsonl", work: "work" } as const;

/** No process has this pid. */
const nobody: ProcessIdentity = { pid: 0, start_time: "none" };

/**
 * Carries each job in a supervised process of its own, which outlives this service. What it has to be told stands in
 * the job's folder, and what it says comes back there, so that any later service can go on from it.
 */
export class EmbeddedJobEngine implements JobEngine {
  readonly name = "embedded";
  readonly #options: EmbeddedJobEngineOptions;
  readonly #slots: Slots;
  /** Jobs that hold a slot. */
  readonly #running = new Set<string>();
  readonly #children = new Map<string, ChildProcess>();
  readonly #killTimers = new Map<string, NodeJS.Timeout>();

  constructor(options: EmbeddedJobEngineOptions) {
    this.#options = options;
    this.#slots = new Slots(options.maxRunning);
  }

  idOf(jobId: string): string {
    return jobId;
  }

  check(resources: Resources): void {
    atMost("cpus", resources.cpus, availableParallelism());
    atMost("gpus", resources.gpus, resources.gpus ? deviceCount() : 0);
    atMost("memory_mib", resources.memoryMib, Math.floor(totalmem() / 1024 ** 2));
    for (const [name, asked] of Object.entries(resources.custom)) atMost(name, asked, 0);
  }

  async start(
    jobId: string,
    load: () => Promise<JobStart>,
    report: (detail: string) => void,
    signal: AbortSignal,
  ): Promise<void> {
    const dir = this.#dir(jobId);
    if (readIdentity(dir)) return;
    const job = await load();
    const { environments, maxRunning } = this.#options;
    const { python, packages } = await environments.prepare(
      job.action.plugin,
      { report, line: job.buildLine, withdraws: true },
      signal,
    );
    if (this.#slots.full) report(`waiting for one of ${maxRunning} job slots`);
    await this.#slots.take(signal);
    this.#running.add(job.jobId);
    try {
      await mkdir(join(dir, files.work), { recursive: true, mode: 0o700 });
      await job.check?.();
      // A process that an earlier service started may be about to read the one that is there.
      if (!existsSync(join(dir, files.spec))) await writeSpec(dir, this.#spec(job, packages));
      signal.throwIfAborted();
      this.#spawn(job, dir, python);
    } catch (error) {
      this.#release(job.jobId);
      throw error;
    }
  }

  async giveUp(jobId: string): Promise<boolean> {
    return claimForNobody(this.#dir(jobId)) === nobody;
  }

  async *follow(jobId: string, offset: number, signal: AbortSignal): AsyncGenerator<Uint8Array, void, undefined> {
    const dir = this.#dir(jobId);
    if (!this.#running.has(jobId)) {
      this.#running.add(jobId);
      this.#slots.force();
    }
    let over = false;
    try {
      yield* followFile(join(dir, files.events), offset, () => this.#over(jobId), signal);
      over = true;
    } catch (error) {
      if (!hasCode(error, "ENOENT")) throw error;
      over = true;
    } finally {
      // Whoever stops asking has seen the last record, unless this service goes away while the job goes on.
      if (over || !signal.aborted) this.#ended(jobId);
    }
  }

  async stop(jobId: string): Promise<void> {
    const pid = this.#supervisor(jobId) ?? this.#children.get(jobId)?.pid;
    if (pid === undefined) return;
    kill(pid, "SIGTERM");
    // The supervisor kills the action after the grace; this is for one that cannot.
    const timer = setTimeout(() => this.#killAll(jobId), this.#options.graceMs + 1000);
    clearTimeout(this.#killTimers.get(jobId));
    this.#killTimers.set(jobId, timer);
  }

  async remove(jobId: string): Promise<void> {
    // The last of its process may still be going.
    await rm(this.#dir(jobId), { recursive: true, force: true, maxRetries: 5 });
  }

  async close(): Promise<void> {
    for (const timer of this.#killTimers.values()) clearTimeout(timer);
    for (const child of this.#children.values()) child.unref();
  }

  #dir(jobId: string): string {
    return join(this.#options.dir, jobId);
  }

  #spec(job: JobStart, packages: string): JobSpec {
    const { binding: own } = job.action.plugin;
    const env = { ...this.#options.passedEnv, ...own.env };
    const binding = { ...own, packages: packages || own.packages, env };
    return jobSpecOf(job, this.#options, { binding, work_dir: join(this.#dir(job.jobId), files.work) });
  }

  #spawn(job: JobStart, dir: string, python: string): void {
    const { launcher, log } = this.#options;
    const { language, root, env } = job.action.plugin.binding;
    // Node's supervisor starts the job in a process of its own; Python's becomes it.
    const variables = { root, env: language === "python" ? { ...env, ...job.env } : {} };
    const command = launcher.command(language, "job", python, variables);
    const child = spawn(command.file, [...command.args, dir], {
      cwd: dir,
      env: { ...command.env },
      stdio: "ignore",
      detached: true,
    });
    this.#children.set(job.jobId, child);
    child.once("error", (error) =>
      log("error", "the process of a job could not be started", { job: job.jobId, error }),
    );
    child.once("close", () => {
      this.#children.delete(job.jobId);
      const identity = readIdentity(dir);
      if (identity && !isAlive(identity)) this.#clear(job.jobId);
    });
  }

  /** Whether nobody writes to the job's events file, now or later. */
  #over(jobId: string): boolean {
    const child = this.#children.get(jobId);
    if (child?.pid !== undefined && child.exitCode === null && child.signalCode === null) return false;
    return !isAlive(readIdentity(this.#dir(jobId)) ?? claimForNobody(this.#dir(jobId)));
  }

  /** The pid of the job's supervisor, while it lives. */
  #supervisor(jobId: string): number | undefined {
    const identity = readIdentity(this.#dir(jobId));
    return identity && isAlive(identity) ? identity.pid : undefined;
  }

  /** Leaves nothing of a job alive, and its slot to the next. */
  #ended(jobId: string): void {
    clearTimeout(this.#killTimers.get(jobId));
    this.#killTimers.delete(jobId);
    if (this.#over(jobId)) this.#clear(jobId);
    this.#release(jobId);
  }

  /** Kills what a job left behind, and forgets what it was given: that may be secret. */
  #clear(jobId: string): void {
    this.#killScope(jobId);
    rmSync(join(this.#dir(jobId), files.spec), { force: true });
    rm(join(this.#dir(jobId), files.work), { recursive: true, force: true }).catch(() => {}); // it goes with the job's files
  }

  #killAll(jobId: string): void {
    const pid = this.#supervisor(jobId);
    if (pid !== undefined) killGroup(pid, "SIGKILL");
    this.#killScope(jobId);
  }

  #killScope(jobId: string): void {
    const scope = readScope(this.#dir(jobId));
    if (scope) killScope(scopeVariable, scope);
  }

  #release(jobId: string): void {
    if (this.#running.delete(jobId)) this.#slots.release();
  }
}

/** The spec may hold secrets, and must never be seen half written. */
async function writeSpec(dir: string, spec: JobSpec): Promise<void> {
  const draft = join(dir, `${files.spec}.${randomUUID()}`);
  await writeFile(draft, jsonText(spec), { mode: 0o600 });
  await rename(draft, join(dir, files.spec));
}

function readIdentity(dir: string): ProcessIdentity | undefined {
  const file = join(dir, files.started);
  return existsSync(file) ? JSON.parse(readFileSync(file, "utf8")) : undefined;
}

function isAlive({ pid, start_time }: ProcessIdentity): boolean {
  return startTime(pid) === start_time;
}

/** Claims a job that no process has claimed, so that none does later. Returns who has it: `nobody`, or that process. */
function claimForNobody(dir: string): ProcessIdentity {
  const draft = join(dir, `${files.started}.${randomUUID()}`);
  try {
    writeFileSync(draft, JSON.stringify(nobody), { mode: 0o600 });
    linkSync(draft, join(dir, files.started));
  } catch (error) {
    // Without a folder there is nothing that a process could start from.
    if (!hasCode(error, "ENOENT", "EEXIST")) throw error;
  } finally {
    rmSync(draft, { force: true });
  }
  const found = readIdentity(dir);
  return found && found.pid !== nobody.pid ? found : nobody;
}

function readScope(dir: string): string | undefined {
  const file = join(dir, files.spec);
  if (!existsSync(file)) return undefined;
  const spec: JobSpec = JSON.parse(readFileSync(file, "utf8"));
  return spec.scope;
}

function deviceCount(): number {
  return readdirSync("/dev").filter((name) => /^nvidia\d+$/.test(name)).length;
}

function atMost(resource: string, asked: number | undefined, available: number): void {
  if (asked === undefined || asked <= available) return;
  throw requestInvalid("/resources", `the action asks for ${asked} ${resource}, and this machine has ${available}`, {
    resource,
    asked: String(asked),
    available: String(available),
  });
}
