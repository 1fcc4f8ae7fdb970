import {
  create,
  type DescMessage,
  type DescMethodUnary,
  type JsonObject,
  type JsonValue,
  type MessageInitShape,
  type MessageShape,
} from "@bufbuild/protobuf";
import { durationFromMs } from "@bufbuild/protobuf/wkt";
import { type Job, type JobFilter, JobFilterSchema } from "../../gen/ts/pluginrunner/v1/job_pb.ts";
import type { Plugin, ResourcesSchema } from "../../gen/ts/pluginrunner/v1/plugin_pb.ts";
import {
  type GetServerInfoResponse,
  PluginRunner,
  RunMode,
  SubmitJobRequestSchema,
  type ValidateParamsResponse,
} from "../../gen/ts/pluginrunner/v1/plugin_runner_pb.ts";
import { findJsonFault, isJsonObject } from "../util/json.ts";
import type { Channel } from "./channel.ts";
import { invalidRequest } from "./client-errors.ts";
import { JobHandle, jsonOf, type WatchOptions } from "./client-job.ts";
import { cut, type ResumeOptions } from "./client-resume.ts";
import { retrying } from "./client-retry.ts";
import { type JobsUpdate, type JobUpdate, watchJob, watchJobs } from "./client-watch.ts";

/** How long a client waits for a server that is silent or gone. */
export interface Patience {
  /** A watch that hears nothing for so long is opened again. Default: 30,000, three heartbeats. */
  heartbeatTimeoutMs?: number | undefined;
  /** How long a watch looks for a server that it has lost. Default: 600,000. */
  retryForMs?: number | undefined;
}

/** What runs and jobs have in common. */
export interface ActionOptions {
  /** Names the code and skips discovery: `package.module:Class` or `./file.js#name`. */
  entrypoint?: string | undefined;
  /** Another name for `entrypoint`. */
  actionCls?: string | undefined;
  /** Environment variables for the action. */
  env?: Readonly<Record<string, string>> | undefined;
  /** An id for tracking; a job gets one of its own when none is given. */
  jobId?: string | undefined;
  /** The longest time that the action may take. Default: as its configuration says. */
  timeoutMs?: number | undefined;
  /** What the action needs of the machine. Default: as its configuration says. */
  resources?: MessageInitShape<typeof ResourcesSchema> | undefined;
  /** Ends the call, and with it a run; a job goes on. */
  signal?: AbortSignal | undefined;
}

/** How an action is run. */
export interface RunOptions extends ActionOptions {
  /** In the service's own process, on a warm worker, or as a job. Default: local. */
  mode?: "local" | "task" | "job" | undefined;
  /** Runs with the same id are one run; default: a new id for each call, so that its retries are one. */
  requestId?: string | undefined;
}

/** How a job is submitted. */
export interface SubmitOptions extends ActionOptions {
  /** Marks to filter jobs by. */
  labels?: Readonly<Record<string, string>> | undefined;
}

/** Which jobs are meant; what is given has to match. */
export type JobFilterInit = MessageInitShape<typeof JobFilterSchema>;

/**
 * A connection to a service. Every method throws ActionNotFoundError, ValidationError or ExecutionError, or the reason of
 * its aborted signal.
 */
export class Client implements AsyncDisposable {
  readonly #channel: Channel;
  readonly #silenceMs: number;
  readonly #retryForMs: number;

  constructor(channel: Channel, { heartbeatTimeoutMs = 30_000, retryForMs = 600_000 }: Patience = {}) {
    this.#channel = channel;
    this.#silenceMs = heartbeatTimeoutMs;
    this.#retryForMs = retryForMs;
  }

  /** The address that calls go to. */
  get address(): string {
    return this.#channel.address;
  }

  /**
   * Runs one action: resolves with its result, or in mode `job` with the job's id as soon as the service has recorded
   * it. A call that the service has not taken is repeated a few times.
   */
  runPlugin(
    plugin: string,
    action: string,
    params: JsonObject | undefined,
    options: RunOptions & { mode: "job" },
  ): Promise<string>;
  runPlugin(plugin: string, action: string, params?: JsonObject, options?: RunOptions): Promise<JsonValue>;
  async runPlugin(
    plugin: string,
    action: string,
    params: JsonObject = {},
    options: RunOptions = {},
  ): Promise<JsonValue> {
    const { mode = "local", requestId = newId(), ...rest } = options;
    if (mode === "job") return (await this.submitJob(plugin, action, params, rest)).id;
    if (!(mode in runModes))
      throw invalidRequest("REQUEST_INVALID", "/mode", `is ${mode}, and may be local, task or job`);
    const request = { ...requestOf(plugin, action, params, rest), mode: runModes[mode], requestId };
    const { result } = await this.#call(PluginRunner.method.runPlugin, request, rest.signal, deadlineOf(rest));
    return jsonOf(result);
  }

  /** Submits a job and resolves once the service has recorded it. A retry attaches to the same job. */
  async submitJob(
    plugin: string,
    action: string,
    params: JsonObject = {},
    options: SubmitOptions = {},
  ): Promise<JobHandle> {
    const { labels = {}, jobId = newId(), ...rest } = options;
    const request = create(SubmitJobRequestSchema, {
      ...requestOf(plugin, action, params, { ...rest, jobId }),
      labels,
    });
    return retrying(async () => {
      for await (const { update } of this.#channel.stream(PluginRunner.method.submitJob, request, rest.signal)) {
        if (update.case === "snapshot") return new JobHandle(this, update.value);
      }
      throw cut("The stream ended before the job was known.");
    }, rest.signal);
  }

  /**
   * Yields the job as it is, then every event after `afterSequence`, each once and in order; ends after the job's last
   * event. Resumes by itself when the stream is cut.
   */
  watchJob(
    jobId: string,
    { afterSequence = 0, signal, onRetry }: WatchOptions = {},
  ): AsyncGenerator<JobUpdate, void, undefined> {
    return watchJob(this.#channel, jobId, BigInt(afterSequence), this.#resume(signal, onRetry));
  }

  /** Yields the jobs that match, newest first, then each that changes and the ids of those that no longer match. */
  watchJobs(
    filter?: JobFilterInit,
    { signal, onRetry }: Omit<WatchOptions, "afterSequence"> = {},
  ): AsyncGenerator<JobsUpdate, void, undefined> {
    return watchJobs(this.#channel, filterOf(filter), this.#resume(signal, onRetry));
  }

  /** Resolves with one job, its params and result included. */
  async getJob(jobId: string, signal?: AbortSignal): Promise<Job> {
    return present((await this.#call(PluginRunner.method.getJob, { jobId }, signal)).job);
  }

  /** Yields the jobs that match, newest first, a page at a time as they are asked for. */
  async *listJobs(filter?: JobFilterInit, signal?: AbortSignal): AsyncGenerator<Job, void, undefined> {
    let pageToken = "";
    do {
      const request = { pageToken, ...(filter && { filter: create(JobFilterSchema, filter) }) };
      const page = await this.#call(PluginRunner.method.listJobs, request, signal);
      yield* page.jobs;
      pageToken = page.nextPageToken;
    } while (pageToken !== "");
  }

  /** Tells a job to stop, and resolves with the job as it is then. One that has ended stays as it is. */
  async cancelJob(jobId: string, signal?: AbortSignal): Promise<Job> {
    return present((await this.#call(PluginRunner.method.cancelJob, { jobId }, signal)).job);
  }

  /** Deletes the record, the events and the files of a job that has ended. */
  async deleteJob(jobId: string, signal?: AbortSignal): Promise<void> {
    await this.#call(PluginRunner.method.deleteJob, { jobId }, signal);
  }

  /** Yields the plugins under the plugin roots, sorted by code. */
  async *listPlugins(signal?: AbortSignal): AsyncGenerator<Plugin, void, undefined> {
    let pageToken = "";
    do {
      const page = await this.#call(PluginRunner.method.listPlugins, { pageToken }, signal);
      yield* page.plugins;
      pageToken = page.nextPageToken;
    } while (pageToken !== "");
  }

  /** Resolves with one plugin, all its actions and their schemas. */
  async getPlugin(plugin: string, signal?: AbortSignal): Promise<Plugin> {
    return present((await this.#call(PluginRunner.method.getPlugin, { plugin }, signal)).plugin);
  }

  /** Validates params as a run would: violations are data here. Resolves with the defaults filled in. */
  async validateParams(
    plugin: string,
    action: string,
    params: JsonObject = {},
    { entrypoint = "", signal }: { entrypoint?: string | undefined; signal?: AbortSignal | undefined } = {},
  ): Promise<ValidateParamsResponse> {
    checkParams(params);
    return this.#call(PluginRunner.method.validateParams, { plugin, action, params, entrypoint }, signal);
  }

  /** Resolves with what this server is and what it offers. */
  async serverInfo(signal?: AbortSignal): Promise<GetServerInfoResponse> {
    return this.#call(PluginRunner.method.getServerInfo, {}, signal);
  }

  /** Ends the connection; calls under way fail. */
  close(): void {
    this.#channel.close();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.close();
  }

  #call<I extends DescMessage, O extends DescMessage>(
    method: DescMethodUnary<I, O>,
    init: MessageInitShape<I>,
    signal: AbortSignal | undefined,
    timeoutMs?: number,
  ): Promise<MessageShape<O>> {
    const request = create(method.input, init);
    return retrying(() => this.#channel.unary(method, request, signal, timeoutMs), signal);
  }

  #resume(signal: AbortSignal | undefined, onRetry: WatchOptions["onRetry"]): ResumeOptions {
    return { signal, onRetry, silenceMs: this.#silenceMs, retryForMs: this.#retryForMs };
  }
}

/** Not `randomUUID`, which pages that came without TLS do not have. */
function newId(): string {
  return Array.from(crypto.getRandomValues(new Uint8Array(16)), (byte) => byte.toString(16).padStart(2, "0")).join("");
}

const runModes = { local: RunMode.LOCAL, task: RunMode.TASK } as const;

/** How much longer the call may take than the run, so that the service's own word about the timeout arrives. */
const deadlineGraceMs = 5_000;

function requestOf(plugin: string, action: string, params: JsonObject, options: ActionOptions) {
  const { entrypoint, actionCls, env = {}, jobId = "", timeoutMs, resources } = options;
  checkParams(params);
  return {
    plugin,
    action,
    params,
    entrypoint: entrypoint ?? actionCls ?? "",
    env,
    jobId,
    ...(timeoutMs !== undefined && { timeout: durationFromMs(timeoutMs) }),
    ...(resources && { resources }),
  };
}

/** What cannot be sent would fail on its way without a word of why. */
function checkParams(params: JsonObject): void {
  const found = isJsonObject(params) ? findJsonFault(params) : { pointer: "", description: "are no JSON object" };
  if (found) throw invalidRequest("PARAMS_INVALID", `/params${found.pointer}`, found.description);
}

function deadlineOf({ timeoutMs }: ActionOptions): number | undefined {
  return timeoutMs === undefined ? undefined : timeoutMs + deadlineGraceMs;
}

function filterOf(filter: JobFilterInit | undefined): JobFilter | undefined {
  return filter && create(JobFilterSchema, filter);
}

/** A response always has its resource. */
function present<T>(resource: T | undefined): T {
  if (resource === undefined) throw cut("The response is incomplete.");
  return resource;
}
