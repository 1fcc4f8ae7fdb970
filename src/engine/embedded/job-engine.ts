import { type ChildProcess, spawn } from "node:child_process";
import { randomUUID } from "node:crypto";
import { closeSync, existsSync, statSync } from "node:fs";
import { mkdir, readdir, rm } from "node:fs/promises";
import { join } from "node:path";
import type { Resources } from "../../../gen/ts/pluginrunner/v1/plugin_pb.ts";
import { type ErrorRecord, fromErrorRecord, PluginRunnerError, readErrorRecord } from "../../errors.ts";
import { hasCode } from "../../util/has-code.ts";
import type { Log } from "../../util/log.ts";
import { isSamePlace, type Place, placeOf } from "../../util/place.ts";
import { hears, kill, killGroup } from "../../util/process.ts";
import type { Launcher } from "../../worker/launcher.ts";
import type { JobSpec, ProcessIdentity } from "../../worker/messages.ts";
import type { JobEngine, JobGiven, JobStart } from "../engine.ts";
import { type JobLimits, jobSpecOf } from "../job-spec.ts";
import { Deadline } from "./deadline.ts";
import type { Environments } from "./environment.ts";
import { DamagedFile, followFile } from "./follow-file.ts";
import {
  claimForNobody,
  createMark,
  files,
  forgetGiven,
  type JobMark,
  makeWork,
  nobody,
  noteLost,
  readClaim,
  readMark,
  readSpec,
  writeClaim,
  writeSpec,
} from "./job-directory.ts";
import { isAlive, isInPlace, killJobIn, killScope, killScopeOf, supervisorOf } from "./job-processes.ts";
import { checkResources } from "./machine-resources.ts";
import { ownDirectory, setAside } from "./own-directory.ts";
import { Slots } from "./slots.ts";
import { lastWordsOf, openSupervisorLog } from "./supervisor-log.ts";

export interface EmbeddedJobEngineOptions extends JobLimits {
  /** A directory with one directory for each job. */
  dir: string;
  /** Where directories go that belong to no job. */
  aside: string;
  launcher: Launcher;
  /** The variables of this service that plugins are meant to see. */
  passedEnv: Readonly<Record<string, string>>;
  environments: Environments;
  maxRunning: number;
  log: Log;
}

/** How long a supervisor may take, beyond the time limit and the grace, to say that it ended the action. */
const deadlinePatienceMs = 3000;

/** What is known of a job while it is followed. */
interface Followed {
  dir: string;
  mark: JobMark | undefined;
  /** Who was last seen to carry it. */
  supervisor: ProcessIdentity | undefined;
  deadline: Deadline;
}

/**
 * Carries each job in a supervised process of its own, which outlives this service. What it has to be told stands in
 * the job's directory, and what it says comes back there, so that any later service can go on from it.
 */
export class EmbeddedJobEngine implements JobEngine {
  readonly name = "embedded";
  readonly #options: EmbeddedJobEngineOptions;
  readonly #slots: Slots;
  readonly #children = new Map<string, ChildProcess>();
  readonly #killTimers = new Map<string, NodeJS.Timeout>();
  /** Jobs whose supervisor has said its last word, and of which nothing else is left. */
  readonly #tidied = new Set<string>();
  /** Where the directory of all jobs is: when that is gone, it is no fault of a job's. */
  #place: Place | undefined;

  constructor(options: EmbeddedJobEngineOptions) {
    this.#options = options;
    this.#slots = new Slots(options.maxRunning);
  }

  async open(known: ReadonlySet<string> | undefined): Promise<void> {
    const { dir, log } = this.#options;
    try {
      await mkdir(dir, { recursive: true, mode: 0o700 });
      this.#place = placeOf(dir);
      const strays = known ? (await readdir(dir)).filter((name) => !known.has(name)) : [];
      await setAside(
        strays.map((name) => join(dir, name)),
        this.#options,
      );
    } catch (error) {
      log("error", "directories of jobs that are not known could not be set aside", { error });
    }
  }

  async own(jobId: string, record: string, fresh: boolean): Promise<void> {
    const dir = this.#dir(jobId);
    this.#checkPlace();
    // What runs has its slot before anything that is queued can get it, however long its files take.
    if (!fresh && supervisorOf(dir)) this.#slots.force(jobId);
    await ownDirectory(dir, record, { ...this.#options, fresh });
    if (!readClaim(dir)) this.#slots.release(jobId);
  }

  idOf(jobId: string): string {
    return jobId;
  }

  check(resources: Resources): void {
    checkResources(resources);
  }

  async start(
    jobId: string,
    load: () => Promise<JobStart>,
    report: (detail: string) => void,
    signal: AbortSignal,
  ): Promise<void> {
    const dir = this.#dir(jobId);
    signal.throwIfAborted();
    if (readClaim(dir)) return;
    const job = await load();
    const { environments, maxRunning } = this.#options;
    const { python, packages } = await environments.prepare(
      job.action.plugin,
      { report, line: job.buildLine, withdraws: true },
      signal,
    );
    if (this.#slots.full(jobId)) report(`waiting for one of ${maxRunning} job slots`);
    await this.#slots.take(jobId, signal);
    try {
      await makeWork(dir);
      await job.check?.();
      const given = await job.given();
      const { scope } = readMark(dir) ?? (await this.#mark(dir, job));
      // A process that an earlier service started may be about to read the one that is there.
      if (!readSpec(dir)) await writeSpec(dir, { ...this.#spec(job, given, packages), scope });
      signal.throwIfAborted();
      this.#spawn(job, given.env, dir, python);
    } catch (error) {
      this.#slots.release(jobId);
      throw error;
    }
  }

  async giveUp(jobId: string): Promise<boolean> {
    const dir = this.#dir(jobId);
    const claim = await claimForNobody(dir);
    if ("fault" in claim || claim.pid !== nobody.pid) return false;
    await forgetGiven(dir); // it may stand there already, and nobody follows what never started
    return true;
  }

  async *follow(jobId: string, offset: number, signal: AbortSignal): AsyncGenerator<Uint8Array, void, undefined> {
    const dir = this.#dir(jobId);
    this.#slots.force(jobId);
    const job: Followed = { dir, mark: readMark(dir), supervisor: undefined, deadline: new Deadline() };
    let over = false;
    try {
      yield* followFile(join(dir, files.events), offset, () => this.#over(jobId, job), signal);
      over = true;
    } catch (error) {
      this.#checkPlace();
      if (error instanceof DamagedFile) await this.#endDamaged(jobId, job, error);
      else if (!hasCode(error, "ENOENT") || placeOf(dir)) throw error;
      over = true;
    } finally {
      job.deadline.clear();
      // Whoever stops asking has seen the last record, unless this service goes away while the job goes on.
      if (over || !signal.aborted) await this.#ended(jobId);
    }
  }

  async tidy(jobId: string): Promise<void> {
    await tidyDirectory(this.#dir(jobId));
    this.#tidied.add(jobId);
  }

  async explain(jobId: string): Promise<PluginRunnerError | undefined> {
    const dir = this.#dir(jobId);
    if (!placeOf(dir)) return lostFiles(jobId);
    const lost = readMark(dir)?.lost;
    return lost ? fromErrorRecord(readErrorRecord(lost)) : lastWordsOf(dir);
  }

  async stop(jobId: string): Promise<void> {
    const pid = supervisorOf(this.#dir(jobId))?.pid ?? this.#children.get(jobId)?.pid;
    if (pid === undefined) return;
    // SIGTERM is what a platform sends when it ends everything; supervisors of earlier versions know nothing else.
    kill(pid, hears(pid, "SIGUSR2") ? "SIGUSR2" : "SIGTERM");
    // The supervisor kills the action after the grace; this is for one that cannot.
    const timer = setTimeout(() => killJobIn(this.#dir(jobId)), this.#options.graceMs + 1000);
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

  #spec(job: JobStart, given: JobGiven, packages: string): JobSpec {
    const { binding: own } = job.action.plugin;
    const env = { ...this.#options.passedEnv, ...own.env };
    const binding = { ...own, packages: packages || own.packages, env };
    return jobSpecOf(job, given, this.#options, { binding, work_dir: join(this.#dir(job.jobId), files.work) });
  }

  #spawn(job: JobStart, own: JobGiven["env"], dir: string, python: string): void {
    const { launcher, log } = this.#options;
    const { language, root, env } = job.action.plugin.binding;
    // Node's supervisor starts the job in a process of its own; Python's becomes it.
    const variables = { root, env: language === "python" ? { ...env, ...own } : {} };
    const command = launcher.command(language, "job", python, variables);
    const words = openSupervisorLog(dir);
    const child = spawn(command.file, [...command.args, dir], {
      cwd: dir,
      env: { ...command.env },
      stdio: ["ignore", "ignore", words],
      detached: true,
    });
    if (words !== "ignore") closeSync(words);
    this.#children.set(job.jobId, child);
    child.once("error", (error) =>
      log("error", "the process of a job could not be started", { job: job.jobId, error }),
    );
    child.once("close", () => this.#children.delete(job.jobId));
  }

  /** Says in a job's directory whose it is, before anything else stands there. */
  async #mark(dir: string, { record = "", timeoutMs }: JobStart): Promise<JobMark> {
    const place = placeOf(dir);
    if (!place) throw new Error(`${dir} was removed while its job was started.`);
    const timeout = timeoutMs === undefined ? null : timeoutMs / 1000;
    return createMark(dir, { record, place, path: dir, scope: randomUUID(), timeout_seconds: timeout });
  }

  /** Whether nobody writes to the job's events file, now or later. */
  async #over(jobId: string, job: Followed): Promise<boolean> {
    if (job.mark && !isInPlace(job.dir, job.mark)) {
      this.#checkPlace();
      this.#end(jobId, job);
      return true;
    }
    if (job.supervisor && isAlive(job.supervisor)) return false;
    job.supervisor = supervisorOf(job.dir);
    if (job.supervisor) {
      if ("fault" in (readClaim(job.dir) ?? {})) await writeClaim(job.dir, job.supervisor);
      this.#watchDeadline(job);
      return false;
    }
    if (isRunning(this.#children.get(jobId))) return false;
    const claim = await claimForNobody(job.dir);
    if ("fault" in claim) await this.#giveUpClaim(job.dir, claim.fault);
    // It may have been claimed just now.
    return supervisorOf(job.dir) === undefined;
  }

  async #giveUpClaim(dir: string, fault: string): Promise<void> {
    const message = `The job's claim, the file "${files.started}" of its directory, cannot be read: ${fault}. No process of it was found.`;
    await noteLost(dir, { reason: "WORKER_LOST", message, metadata: { file: files.started } });
    await writeClaim(dir, nobody);
  }

  /** What a job does that cannot be heard any more is of no use to anybody. */
  async #endDamaged(jobId: string, job: Followed, { message: fault }: DamagedFile): Promise<void> {
    this.#end(jobId, job);
    const message = `The job's events, the file "${files.events}" of its directory, cannot be read: ${fault}. The job was ended.`;
    await noteLost(job.dir, { reason: "WORKER_LOST", message, metadata: { file: files.events } });
  }

  /** Kills what was seen to be of this job, also where its directory says nothing any more. */
  #end(jobId: string, { dir, mark, supervisor }: Followed): void {
    killJobIn(dir);
    if (supervisor && isAlive(supervisor)) killGroup(supervisor.pid, "SIGKILL");
    const child = this.#children.get(jobId);
    if (child?.pid !== undefined && isRunning(child)) killGroup(child.pid, "SIGKILL");
    if (mark && supervisor) killScope(mark);
  }

  /** A supervisor that was stopped, or hangs, ends nothing in time. */
  #watchDeadline({ dir, mark, deadline }: Followed): void {
    const seconds = mark?.timeout_seconds ?? undefined;
    if (seconds === undefined) return;
    const claimed = statSync(join(dir, files.started), { throwIfNoEntry: false })?.mtimeMs ?? Date.now();
    deadline.set(claimed + seconds * 1000 + this.#options.graceMs + deadlinePatienceMs, () => {
      if (!existsSync(join(dir, files.spec))) return; // its action has ended, and it waits for room to say so
      noteLost(dir, overdue(seconds))
        .catch((error: unknown) => this.#options.log("error", "why a job ended could not be kept", { job: dir, error }))
        .finally(() => killJobIn(dir));
    });
  }

  #checkPlace(): void {
    const { dir } = this.#options;
    const place = placeOf(dir);
    if (!this.#place || (place && isSamePlace(place, this.#place))) return;
    throw new Error(`${dir} is gone, or another directory stands there: jobs go on once it is back.`);
  }

  /** Leaves nothing of a job alive, and its slot to the next. */
  async #ended(jobId: string): Promise<void> {
    const dir = this.#dir(jobId);
    clearTimeout(this.#killTimers.get(jobId));
    this.#killTimers.delete(jobId);
    try {
      if (!this.#tidied.delete(jobId)) {
        if (supervisorOf(dir)) return;
        await tidyDirectory(dir);
      }
      // It goes with the job's files otherwise.
      await rm(join(dir, files.work), { recursive: true, force: true }).catch(() => {});
    } finally {
      this.#slots.release(jobId);
    }
  }
}

async function tidyDirectory(dir: string): Promise<void> {
  killScopeOf(dir);
  await forgetGiven(dir);
}

function isRunning(child: ChildProcess | undefined): boolean {
  return child?.pid !== undefined && child.exitCode === null && child.signalCode === null;
}

function overdue(seconds: number): ErrorRecord {
  return {
    reason: "DEADLINE",
    message: `The action ran longer than its timeout of ${seconds} s, and was ended by the service: its supervisor did not.`,
    metadata: { timeout_seconds: String(seconds), started: "true" },
  };
}

function lostFiles(jobId: string): PluginRunnerError {
  const message = "The job's directory is gone, and with it what its process had to say: the job was ended.";
  return new PluginRunnerError("WORKER_LOST", message, { metadata: { job_id: jobId } });
}
