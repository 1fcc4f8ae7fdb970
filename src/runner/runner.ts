import { randomUUID } from "node:crypto";
import { create, type JsonObject } from "@bufbuild/protobuf";
import { durationFromMs, timestampNow } from "@bufbuild/protobuf/wkt";
import type { JobEvent } from "../../gen/ts/pluginrunner/v1/job_event_pb.ts";
import { type Job, type JobFilter, JobSchema, JobState } from "../../gen/ts/pluginrunner/v1/job_pb.ts";
import type { Plugin, Resources } from "../../gen/ts/pluginrunner/v1/plugin_pb.ts";
import {
  RunMode,
  type RunPluginRequest,
  type SubmitJobRequest,
  type ValidateParamsRequest,
} from "../../gen/ts/pluginrunner/v1/plugin_runner_pb.ts";
import type { EngineTrouble, JobEngine, JobStart, TaskPool } from "../engine/engine.ts";
import { PluginRunnerError, type Reason, requestInvalid, type Violation } from "../errors.ts";
import type { JobPage, JobRecord, JobStore } from "../job/store/job-store.ts";
import type { WatchHub } from "../job/watch-hub.ts";
import { type Watcher, watchJob } from "../job/watch-job.ts";
import { type JobsUpdate, watchJobs } from "../job/watch-jobs.ts";
import type { Catalog } from "../plugin/catalog.ts";
import { checkParams } from "../plugin/check-params.ts";
import type { LoadedAction, ValidParams } from "../plugin/plugin.ts";
import type { Snapshots } from "../plugin/snapshots.ts";
import { orStorageUnavailable } from "../storage-error.ts";
import type { Log } from "../util/log.ts";
import type { Carried } from "../util/non-finite.ts";
import type { WorkerResult } from "../worker/messages.ts";
import { deadline, withDeadline } from "./deadline.ts";
import { decide } from "./decide.ts";
import { fingerprint } from "./fingerprint.ts";
import { Jobs } from "./jobs.ts";
import {
  type ActionRequest,
  checkActionRequest,
  checkEnv,
  checkFilter,
  checkJobId,
  checkLabels,
  mergeResources,
  nameOf,
  paramsOf,
  timeoutMs,
} from "./request.ts";
import { restoreJob } from "./restore-job.ts";
import { RunOutputs } from "./run-outputs.ts";
import type { Storage } from "./storage.ts";
import { mergeWarnings, type ParamsInspector, validateInCode } from "./validate-in-code.ts";
import { whileBuilding } from "./while-building.ts";

export interface RunnerOptions {
  catalog: Catalog;
  inspector: ParamsInspector;
  /** Keeps the files that jobs run from. */
  snapshots: Snapshots;
  /** Where local runs go: by language, undefined where local mode is off. */
  local: TaskPool | undefined;
  tasks: TaskPool;
  engine: JobEngine;
  store: JobStore;
  /** Knows whether new jobs can be kept. */
  storage: Storage;
  hub: WatchHub;
  maxQueuedJobs: number;
  maxQueuedJobBytes: number;
  maxEventsPerJob: number;
  maxResultBytes: number;
  retentionMs: number;
  heartbeatMs: number;
  log: Log;
}

/** What a run waits for before it begins; empty when it does not. */
interface Wait {
  detail: string;
}

/** Runs, submits, watches: all that the service does, without a word of how it is called. */
export class Runner {
  readonly #options: RunnerOptions;
  readonly #jobs: Jobs;
  readonly #outputs: RunOutputs;

  constructor(options: RunnerOptions) {
    this.#options = options;
    this.#outputs = new RunOutputs(options.log);
    this.#jobs = new Jobs({
      ...options,
      maxQueued: options.maxQueuedJobs,
      maxQueuedBytes: options.maxQueuedJobBytes,
      maxEvents: options.maxEventsPerJob,
      restore: (record, starting, signal) => restoreJob(record, starting, options, signal),
    });
  }

  /** Goes on with the jobs that have not ended. */
  async open(): Promise<void> {
    await this.#jobs.open();
    // A job whose record cannot be read may run from files that nobody has claimed.
    if (!this.#jobs.complete) return;
    this.#options.snapshots.sweep().catch((error: unknown) => {
      this.#options.log("warn", "files that jobs ran from could not be removed", { error });
    });
  }

  /** Lets runs finish until the signal aborts, and leaves jobs to the next service. What the store has can still be read. */
  async close(signal: AbortSignal): Promise<void> {
    await Promise.all([this.#options.local?.close(signal), this.#options.tasks.close(signal), this.#jobs.close()]);
  }

  get modes(): string[] {
    return [...(this.#options.local ? ["local"] : []), "task", "job"];
  }

  /** What keeps this service from a part of its work now, by the reasons that it refuses calls with. */
  get troubles(): readonly ({ reason: Reason } & EngineTrouble)[] {
    const { storage, engine } = this.#options;
    return [
      ...(storage.trouble ? [{ reason: "STORAGE_UNAVAILABLE" as const, ...storage.trouble }] : []),
      ...(engine.trouble ? [{ reason: "ENGINE_UNAVAILABLE" as const, ...engine.trouble }] : []),
    ];
  }

  get engineName(): string {
    return this.#options.engine.name;
  }

  /** The digests of the environments of jobs that have not ended; undefined where they are not all known. */
  get neededEnvironments(): ReadonlySet<string> | undefined {
    return this.#jobs.environments;
  }

  /** Runs one action and returns its result, with what it did not use of the params. */
  async runPlugin(request: RunPluginRequest, signal: AbortSignal, deadline?: number): Promise<WorkerResult> {
    try {
      checkActionRequest(request);
      checkEnv(request.env);
      checkJobId(request.jobId);
      return await this.#run(request, this.#pool(request.mode), signal, deadline);
    } catch (error) {
      this.#outputs.refuse(request.requestId);
      this.#options.storage.failed(error);
      throw error;
    }
  }

  /** Yields what a run writes: see `RunOutputs.watch`. */
  watchRun(requestId: string, signal: AbortSignal, leaving: AbortSignal): AsyncGenerator<JobEvent[], void, undefined> {
    return this.#outputs.watch(requestId, this.#options.heartbeatMs, signal, leaving);
  }

  /** Records and starts a job, or finds the one that has its id and content; returns its id. */
  async submitJob(request: SubmitJobRequest, signal: AbortSignal): Promise<string> {
    checkActionRequest(request);
    checkEnv(request.env);
    checkJobId(request.jobId);
    checkLabels(request.labels);
    const { $unknown: _, ...content } = request;
    const mark = fingerprint(content);
    if (request.jobId !== "" && (await this.#attach(request.jobId, mark))) return request.jobId;
    const given = paramsOf(request);
    const { storage } = this.#options;
    await storage.ready();
    try {
      return await this.#ofNewest(request.plugin, () => this.#submit(request, given, mark, signal));
    } catch (error) {
      storage.failed(error);
      throw orStorageUnavailable(error);
    }
  }

  /** Tells the watcher of a job from an event on: see `watchJob`. */
  watchJob(jobId: string, after: bigint, watcher: Watcher, signal: AbortSignal): Promise<void> {
    const { store, hub, heartbeatMs } = this.#options;
    return watchJob(jobId, after, watcher, { store, hub, heartbeatMs, find: (id) => this.#jobs.find(id) }, signal);
  }

  /** Yields the jobs that fit, then what becomes of them: see `watchJobs`. */
  watchJobs(filter: JobFilter | undefined, signal: AbortSignal): AsyncGenerator<JobsUpdate, never, undefined> {
    checkFilter(filter);
    return watchJobs(filter, this.#options, signal);
  }

  async getJob(jobId: string): Promise<Job> {
    return (await this.#jobs.get(jobId)).job;
  }

  async listJobs(filter: JobFilter | undefined, limit: number, cursor: number | undefined): Promise<JobPage> {
    checkFilter(filter);
    return this.#jobs.list(filter, limit, cursor);
  }

  cancelJob(jobId: string): Promise<Job> {
    return this.#jobs.cancel(jobId);
  }

  deleteJob(jobId: string): Promise<void> {
    return this.#jobs.delete(jobId);
  }

  listPlugins(signal: AbortSignal): Promise<readonly Plugin[]> {
    return this.#options.catalog.list(signal);
  }

  async getPlugin(reference: string, signal: AbortSignal): Promise<Plugin> {
    if (reference === "") throw requestInvalid("/plugin", "is required: a path, a code or a module");
    const { catalog } = this.#options;
    return this.#ofNewest(reference, async () => catalog.describe(await catalog.load(reference, signal), signal));
  }

  /** The params with defaults filled in and what the action would not use of them, or what is wrong with them. */
  async validateParams(
    request: ValidateParamsRequest,
    signal: AbortSignal,
    deadline = Number.POSITIVE_INFINITY,
  ): Promise<ValidParams | { violations: readonly Violation[] }> {
    try {
      checkActionRequest(request);
      checkEnv(request.env);
      const given = paramsOf(request);
      return await this.#ofNewest(request.plugin, async () => {
        const { inspector, catalog } = this.#options;
        const plugin = this.#peek(request)?.plugin ?? (await catalog.load(request.plugin, signal, nameOf(request)));
        return whileBuilding({ plugin, inspector }, deadline, signal, async (own) => {
          const action = await catalog.action(plugin, request.action, request.entrypoint, own, request.env);
          return validateInCode(inspector, action, checkParams(action, given), request.env, own);
        });
      });
    } catch (error) {
      if (error instanceof PluginRunnerError && error.reason === "PARAMS_INVALID") {
        return { violations: error.violations };
      }
      throw error;
    }
  }

  #pool(mode: RunMode): TaskPool {
    const { local, tasks } = this.#options;
    if (mode === RunMode.TASK) return tasks;
    if (mode !== RunMode.UNSPECIFIED && mode !== RunMode.LOCAL) {
      throw requestInvalid("/mode", `is ${mode}, which this server does not know`, { available: this.modes.join(",") });
    }
    if (local) return local;
    throw requestInvalid("/mode", "is local, which this server does not offer: use task", {
      available: this.modes.join(","),
    });
  }

  /** The request's timeout holds for finding the action too; that of its configuration is known only then. */
  #run(
    request: RunPluginRequest,
    pool: TaskPool,
    signal: AbortSignal,
    until = Number.POSITIVE_INFINITY,
  ): Promise<WorkerResult> {
    const asked = timeoutMs(request.timeout);
    const given = paramsOf(request);
    const wait: Wait = { detail: "" };
    return withDeadline(
      asked,
      signal,
      (own) => this.#ofNewest(request.plugin, () => this.#runWithin(asked, request, given, pool, own, until, wait)),
      (ms) => deadline(ms, wait.detail),
    );
  }

  /** Once more, where a plugin was seen to have changed before any of its code was run: what a reference names is there. */
  async #ofNewest<T>(reference: string, work: () => Promise<T>): Promise<T> {
    try {
      return await work();
    } catch (error) {
      if (!(error instanceof PluginRunnerError) || error.reason !== "PLUGIN_CHANGED") throw error;
      this.#options.catalog.forget(reference);
      return work();
    }
  }

  /** The job runs from what is there now, whatever becomes of it until then. */
  async #submit(
    request: SubmitJobRequest,
    given: Carried<JsonObject>,
    mark: string,
    signal: AbortSignal,
  ): Promise<string> {
    const { engine, snapshots } = this.#options;
    const { action, known, shown, unchecked } = await decide(
      request,
      given,
      this.#peek(request)?.plugin,
      this.#options,
      signal,
    );
    const resources = this.#resources(action, request.resources);
    engine.ready?.();
    const plugin = await snapshots.keep(action.plugin).catch((error: unknown) => {
      throw orStorageUnavailable(error);
    });
    const start = this.#jobStart(request, { ...action, plugin }, resources);
    const record = this.#record(request, start, known.params, shown, mark);
    if (unchecked) record.given.unchecked = unchecked;
    let taken = false;
    try {
      taken = await this.#jobs.submit(record, unchecked ? undefined : start);
    } finally {
      if (!taken && plugin.kept !== undefined) snapshots.release(plugin.kept);
    }
    if (!taken) await this.#attach(start.jobId, mark);
    return start.jobId;
  }

  async #runWithin(
    asked: number | undefined,
    request: RunPluginRequest,
    given: Carried<JsonObject>,
    pool: TaskPool,
    signal: AbortSignal,
    deadline: number,
    wait: Wait,
  ): Promise<WorkerResult> {
    const { inspector, catalog } = this.#options;
    const known = this.#peek(request);
    const plugin = known?.plugin ?? (await catalog.load(request.plugin, signal, nameOf(request)));
    const ended = catalog.begin(plugin, nameOf(request));
    try {
      if (known && inspector.isKnown(plugin)) {
        return await this.#runAction(known, asked, request, given, pool, signal, wait);
      }
      const ms = asked ?? known?.timeoutMs;
      const until = ms === undefined ? deadline : Math.min(deadline, Date.now() + ms);
      return await whileBuilding({ plugin, inspector }, until, signal, async (own) => {
        const action = await catalog.action(plugin, request.action, request.entrypoint, own, request.env);
        return this.#runAction(action, asked, request, given, pool, own, wait);
      });
    } finally {
      ended();
    }
  }

  async #runAction(
    action: LoadedAction,
    asked: number | undefined,
    request: RunPluginRequest,
    given: Carried<JsonObject>,
    pool: TaskPool,
    signal: AbortSignal,
    wait: Wait,
  ): Promise<WorkerResult> {
    const { params, warnings } = checkParams(action, given);
    const resources = this.#resources(action, request.resources);
    const output = this.#outputs.open(request.requestId, action.plugin.info.code, action.name);
    const { write } = output;
    const waiting = (detail: string) => {
      wait.detail = detail;
      if (detail !== "") write({ timeMs: Date.now(), source: "SERVICE", level: "INFO", message: detail });
    };
    const task = { action, params, env: request.env, jobId: request.jobId, resources, output: write, waiting };
    const configured = asked === undefined ? action.timeoutMs : undefined;
    try {
      const late = (ms: number) => deadline(ms, wait.detail);
      const result = await withDeadline(configured, signal, (own) => pool.run(task, own), late);
      return warnings.length === 0 ? result : { ...result, warnings: mergeWarnings(warnings, result.warnings) };
    } finally {
      output.close();
    }
  }

  /** The action, when its plugin was loaded before and has not changed since. */
  #peek(request: ActionRequest): LoadedAction | undefined {
    const { catalog } = this.#options;
    const plugin = catalog.peek(request.plugin);
    return plugin && catalog.peekAction(plugin, request.action, request.entrypoint);
  }

  #resources(action: LoadedAction, asked: Resources | undefined): Resources | undefined {
    const resources = mergeResources(action.resources, asked);
    if (resources) this.#options.engine.check(resources);
    return resources;
  }

  /** Whether a job of this id and content is there already. */
  async #attach(jobId: string, mark: string): Promise<boolean> {
    const known = await this.#jobs.find(jobId);
    if (!known) return false;
    if (known.fingerprint === mark) return true;
    throw new PluginRunnerError(
      "JOB_ID_CONFLICT",
      `Job ${jobId} was submitted with another content: choose another id.`,
      {
        metadata: { job_id: jobId },
      },
    );
  }

  #jobStart(request: SubmitJobRequest, action: LoadedAction, resources: Resources | undefined): JobStart {
    const jobId = request.jobId || randomUUID();
    return {
      jobId,
      action,
      given: () => this.#jobs.given(jobId),
      timeoutMs: timeoutMs(request.timeout) ?? action.timeoutMs,
      resources,
      check: () => this.#options.snapshots.check(action.plugin),
    };
  }

  #record(
    request: SubmitJobRequest,
    start: JobStart,
    params: Carried<JsonObject>,
    shown: ValidParams,
    mark: string,
  ): JobRecord {
    const { info, kept, requirements } = start.action.plugin;
    const job = create(JobSchema, {
      jobId: start.jobId,
      plugin: request.plugin,
      action: start.action.name,
      entrypoint: start.action.entrypoint,
      params: shown.params.value,
      nonFiniteParams: [...shown.params.nonFinite],
      warnings: [...shown.warnings],
      envNames: Object.keys(request.env).sort(),
      labels: request.labels,
      state: JobState.PENDING,
      createTime: timestampNow(),
      engine: this.#options.engine.name,
      pluginVersion: info.version,
      pluginDigest: info.digest,
      ...(start.timeoutMs !== undefined && { timeout: durationFromMs(start.timeoutMs) }),
      ...(start.resources && { resources: start.resources }),
    });
    const given = {
      params,
      env: request.env,
      ...(kept !== undefined && { files: kept }),
      ...(requirements && { environment: requirements.digest }),
    };
    return { job, given, fingerprint: mark, position: 0 };
  }
}
