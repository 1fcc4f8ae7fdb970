import { setTimeout as delay } from "node:timers/promises";
import type { Resources } from "../../../gen/ts/pluginrunner/v1/plugin_pb.ts";
import { PluginRunnerError, requestInvalid } from "../../errors.ts";
import type { Log } from "../../util/log.ts";
import type { EngineTrouble, JobEngine, JobStart } from "../engine.ts";
import { ClusterHealth } from "./cluster-health.ts";
import type { Dashboard } from "./dashboard.ts";
import type { RayJob } from "./dashboard-answers.ts";
import { DashboardError } from "./dashboard-error.ts";
import { followJob } from "./follow-job.ts";
import { JobLookups } from "./job-lookups.ts";
import {
  endOf,
  givenUp,
  isGhost,
  isGivenUp,
  isOurs,
  type JobEnd,
  jobIdOf,
  ownMetadata,
  rayIdOf,
  waitingFor,
} from "./job-states.ts";
import { type NodePackages, prepareSubmission, type RayJobLimits } from "./job-submission.ts";
import { Leftovers } from "./leftovers.ts";
import { Packages } from "./packages.ts";
import { StreamBudget } from "./stream-budget.ts";

export interface RayJobEngineOptions extends RayJobLimits {
  dashboard: Dashboard;
  /** Shared with what else brings files to the same cluster. */
  packages?: Packages;
  /** Whether the cluster is there; closed with the engine. Default: one of its own. */
  health?: ClusterHealth;
  /** Builds what a JavaScript plugin requires, on this machine. Default: nothing. */
  nodePackages?: NodePackages;
  /** Whether somebody watches a job: then its events are streamed, if there is a stream left. Default: always. */
  watched?: (jobId: string) => boolean;
  /** The most streams at a time; a dashboard serves 100 to all who use it. Default: 48. */
  maxStreams?: number;
  /** The interpreter on the nodes that jobs are started with. Default: Ray's own. */
  python?: string | undefined;
  /** Where it is remembered what deleted jobs have on the cluster. Default: nowhere. */
  leftoversFile?: string;
  /** How often that is tried to be removed, in milliseconds. Default: 10 s. */
  sweepMs?: number;
  /** How long the events of a job that has ended are tried to be read, in milliseconds. Default: 10 minutes. */
  eventsPatienceMs?: number;
  log: Log;
}

const defaultStreams = 48;
const firstLookMs = 100;
const firstLooks = 20;
const laterLookMs = 500;
/** How often a submission is tried again that the dashboard refuses or fails at. */
const submitTries = 3;
const longestRetryMs = 5000;
const stopPatienceMs = 5000;
const giveUpPatienceMs = 8000;
/** A job that waits for room cannot be stopped before it gets some; then it ends at once. */
const pendingStopMs = 4000;

/** Carries each job as a job of a Ray cluster, through its dashboard. See docs/protocol.md for what runs there. */
export function createRayJobEngine(options: RayJobEngineOptions): JobEngine {
  return new RayJobEngine(options);
}

class RayJobEngine implements JobEngine {
  readonly name = "ray";
  readonly #options: RayJobEngineOptions;
  readonly #dashboard: Dashboard;
  readonly #lookups: JobLookups;
  readonly #streams: StreamBudget;
  readonly #packages: Packages;
  readonly #health: ClusterHealth;
  readonly #leftovers: Leftovers;
  readonly #closing = new AbortController();
  /** When jobs were told to stop. */
  readonly #stopped = new Map<string, number>();
  readonly #telling = new Map<string, Promise<void>>();
  /** What was known of jobs that were followed to their end, until they are explained. */
  readonly #ends = new Map<string, JobEnd>();

  constructor(options: RayJobEngineOptions) {
    const { dashboard, leftoversFile, sweepMs, log } = options;
    this.#options = options;
    this.#dashboard = dashboard;
    this.#lookups = new JobLookups(dashboard);
    this.#streams = new StreamBudget(options.maxStreams ?? defaultStreams);
    this.#packages = options.packages ?? new Packages({ dashboard });
    this.#leftovers = new Leftovers({ dashboard, file: leftoversFile, periodMs: sweepMs, log });
    this.#health = options.health ?? new ClusterHealth(dashboard, log);
  }

  ready(): void {
    this.#health.check();
  }

  get trouble(): EngineTrouble | undefined {
    return this.#health.trouble;
  }

  idOf(jobId: string, fingerprint: string): string {
    return rayIdOf(jobId, fingerprint);
  }

  check(resources: Resources): void {
    const { cpus = 0, gpus = 0, memoryMib = 0, custom } = resources;
    for (const [name, asked] of Object.entries({ cpus, gpus, memory_mib: memoryMib, ...custom })) {
      if (asked < 0) throw impossible(name, asked, "cannot be negative");
    }
    if (gpus > 1 && !Number.isInteger(gpus)) throw impossible("gpus", gpus, "above 1 is a whole number on Ray");
    const own = Object.entries(custom).find(([name]) => reserved.includes(name.toLowerCase()));
    if (own) throw impossible(own[0], own[1], "is no custom resource on Ray: ask for cpus, gpus or memory_mib");
  }

  async start(
    id: string,
    load: () => Promise<JobStart>,
    report: (detail: string) => void,
    signal: AbortSignal,
  ): Promise<void> {
    const say = onlyChanges(report);
    await this.#leftovers.settled(id, say, signal);
    let job = await this.#lookups.find(id, signal, say);
    if (job && isGhost(job)) {
      await this.#leftovers.add(id);
      await this.#leftovers.settled(id, say, signal);
      job = undefined;
    }
    if (job && !isOurs(job)) throw foreign(id);
    if (!job) await this.#submit(id, await load(), say, signal);
    await this.#untilStarted(id, say, signal);
  }

  /** Takes the job's id on the cluster for a job that does nothing, unless somebody has it. */
  async giveUp(id: string): Promise<boolean> {
    const signal = AbortSignal.timeout(giveUpPatienceMs);
    const metadata = { ...ownMetadata(id), ...givenUp };
    const submission = { submissionId: id, entrypoint: "true", runtimeEnv: {}, metadata };
    try {
      await this.#dashboard.submitJob(submission, signal);
      return true;
    } catch (error) {
      const job = await this.#dashboard.getJob(id, signal);
      if (job) return isGivenUp(job) || !isOurs(job);
      throw error;
    }
  }

  async *follow(id: string, offset: number, signal: AbortSignal): AsyncGenerator<Uint8Array, void, undefined> {
    const { dashboard, log, watched = () => true, eventsPatienceMs } = this.#options;
    const options = {
      dashboard,
      log,
      lookups: this.#lookups,
      streams: this.#streams,
      watched: () => watched(jobIdOf(id)),
      abandoned: (job: RayJob) => this.#abandoned(job),
      ...(eventsPatienceMs !== undefined && { patienceMs: eventsPatienceMs }),
    };
    this.#ends.set(id, yield* followJob(id, offset, options, signal));
  }

  async explain(id: string): Promise<PluginRunnerError | undefined> {
    const end = this.#ends.get(id) ?? { job: await this.#lookups.known(id, this.#closing.signal) };
    return endOf(jobIdOf(id), end);
  }

  async stop(id: string): Promise<void> {
    if (!this.#stopped.has(id)) this.#stopped.set(id, performance.now());
    // Each time anew: the job may not have been there the last time.
    const telling = this.#telling.get(id) ?? this.#tellToStop(id).finally(() => this.#telling.delete(id));
    this.#telling.set(id, telling);
    await Promise.race([telling, delay(stopPatienceMs, undefined, { ref: false })]);
  }

  async remove(id: string): Promise<void> {
    this.#stopped.delete(id);
    this.#ends.delete(id);
    await this.#leftovers.add(id);
  }

  async close(): Promise<void> {
    this.#closing.abort();
    await Promise.all([this.#leftovers.close(), this.#health.close()]);
  }

  /** Submits until the cluster has the job: whoever was first, it has it once. */
  async #submit(id: string, job: JobStart, report: (detail: string) => void, signal: AbortSignal): Promise<void> {
    const { nodePackages = async () => "", ...limits } = this.#options;
    const options = { ...limits, packages: this.#packages, nodePackages };
    for (let tries = 1; ; tries++) {
      try {
        const submission = await prepareSubmission(id, job, options, report, signal);
        await this.#dashboard.submitJob(submission, signal);
        return;
      } catch (error) {
        signal.throwIfAborted();
        if (!(error instanceof DashboardError)) throw error;
        if (error.fault === "exists" || (await this.#lookups.find(id, signal, report))) return;
        if (!error.passing && tries >= submitTries) throw error;
        report(`waiting for the Ray cluster: ${error.message}`);
        await delay(Math.min(250 * 2 ** tries, longestRetryMs), undefined, { signal });
      }
    }
  }

  async #untilStarted(id: string, report: (detail: string) => void, signal: AbortSignal): Promise<void> {
    const leave = this.#lookups.follow();
    try {
      for (let looks = 1; ; looks++) {
        const job = await this.#lookups.known(id, signal);
        if (job?.status !== "PENDING") return;
        report(waitingFor(job));
        await this.#lookups.pause(signal, looks > firstLooks ? laterLookMs : firstLookMs);
      }
    } finally {
      leave();
    }
  }

  async #tellToStop(id: string): Promise<void> {
    const signal = this.#closing.signal;
    for (let tries = 1; !signal.aborted; tries++) {
      try {
        await this.#dashboard.stopJob(id, signal);
        return;
      } catch (error) {
        if (signal.aborted) return;
        this.#options.log("warn", "a job could not be told to stop and is told again", { job: id, error });
        await delay(Math.min(250 * 2 ** tries, longestRetryMs), undefined, { signal, ref: false }).catch(() => {});
      }
    }
  }

  #abandoned({ submissionId, status }: RayJob): boolean {
    const since = this.#stopped.get(submissionId);
    return status === "PENDING" && since !== undefined && performance.now() - since > pendingStopMs;
  }
}

const reserved: readonly string[] = ["cpu", "gpu", "memory", "object_store_memory"];

function foreign(id: string): PluginRunnerError {
  return new PluginRunnerError("JOB_ID_CONFLICT", `The Ray cluster has another job ${id}: choose another id.`, {
    metadata: { job_id: jobIdOf(id) },
  });
}

function impossible(resource: string, asked: number, why: string): PluginRunnerError {
  return requestInvalid("/resources", `${resource} ${why}`, { resource, asked: String(asked) });
}

function onlyChanges(report: (detail: string) => void): (detail: string) => void {
  let last = "";
  return (detail) => {
    if (detail !== last) report(detail);
    last = detail;
  };
}
