import {
  create,
  type DescMessage,
  type DescMethodUnary,
  type JsonValue,
  type MessageInitShape,
  type MessageShape,
} from "@bufbuild/protobuf";
import { type Duration, durationFromMs } from "@bufbuild/protobuf/wkt";
import { type FieldViolation, type Job, type JobFilter, JobFilterSchema } from "../../gen/ts/pluginrunner/v1/job_pb.ts";
import type { Plugin, ResourcesSchema } from "../../gen/ts/pluginrunner/v1/plugin_pb.ts";
import {
  type GetServerInfoResponse,
  PluginRunner,
  RunMode,
  SubmitJobRequestSchema,
  type ValidateParamsResponse,
  WatchRunRequestSchema,
} from "../../gen/ts/pluginrunner/v1/plugin_runner_pb.ts";
import type { Violation } from "../errors.ts";
import type { Channel } from "./channel.ts";
import { invalidRequest, RunnerError } from "./client-errors.ts";
import { JobHandle, type WatchOptions } from "./client-job.ts";
import { jsonOf, numbersInEvent, numbersInJob, numbersInVerdict } from "./client-numbers.ts";
import { checkTexts, encodeParams } from "./client-params.ts";
import { cut, type ResumeOptions } from "./client-resume.ts";
import { retrying, Wakeup } from "./client-retry.ts";
import { type JobsUpdate, type JobUpdate, watchJob, watchJobs } from "./client-watch.ts";

/** How long a client waits for a server that is silent or gone. */
export interface Patience {
  /** A watch that hears nothing for so long is opened again, on a new connection. Default: 30,000, three heartbeats. */
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
  /** Told of what the action does not use of the params, a misspelt name for example. Default: `console.warn`. */
  onWarning?: ((warning: Violation) => void) | undefined;
  /** Ends the call, and with it a run; a job goes on. */
  signal?: AbortSignal | undefined;
}

/** The ways to run an action: in the service's own process, on a warm worker, or as a job. */
export const modes = ["local", "task", "job"] as const;

export type Mode = (typeof modes)[number];

/** How an action is run. */
export interface RunOptions extends ActionOptions {
  /** Where to run it. Default: local. */
  mode?: Mode | undefined;
  /** Runs with the same id are one run; default: a new id for each call, so that its retries are one. */
  requestId?: string | undefined;
}

/** How a job is submitted. */
export interface SubmitOptions extends ActionOptions {
  /** Marks to filter jobs by. */
  labels?: Readonly<Record<string, string>> | undefined;
}

/** How params are validated. */
export type ValidateOptions = Pick<ActionOptions, "entrypoint" | "actionCls" | "env" | "signal">;

/** Which jobs are meant; what is given has to match. */
export type JobFilterInit = MessageInitShape<typeof JobFilterSchema>;

/**
 * A connection to a service. Every method throws ActionNotFoundError, ValidationError or ExecutionError, or the reason of
 * its aborted signal.
 */
export class Client {
  readonly #channel: Channel;
  readonly #patience: Pick<ResumeOptions, "silenceMs" | "retryForMs" | "wakeup">;

  constructor(channel: Channel, { heartbeatTimeoutMs = 30_000, retryForMs = 600_000 }: Patience = {}) {
    this.#channel = channel;
    this.#patience = { silenceMs: heartbeatTimeoutMs, retryForMs, wakeup: new Wakeup() };
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
    params: object | undefined,
    options: RunOptions & { mode: "job" },
  ): Promise<string>;
  runPlugin(plugin: string, action: string, params?: object, options?: RunOptions): Promise<JsonValue>;
  async runPlugin(plugin: string, action: string, params: object = {}, options: RunOptions = {}): Promise<JsonValue> {
    const { mode = "local", requestId = newId(), ...rest } = options;
    if (mode === "job") return (await this.submitJob(plugin, action, params, rest)).id;
    if (!Object.hasOwn(runModes, mode)) throw invalidField("/mode", `is ${mode}, and may be local, task or job`);
    const request = { ...requestOf(plugin, action, params, rest), mode: runModes[mode], requestId };
    const call = await this.#call(PluginRunner.method.runPlugin, request, rest.signal, deadlineOf(rest));
    warn(plugin, action, call.warnings, rest);
    return jsonOf(call.result, call.nonFinite);
  }

  /**
   * Yields what the action of a run writes while it runs, as log events. The run is the one that was, or within 10 seconds
   * will be, called with this `requestId`. Ends with the run; lines that were written before the call are not sent.
   */
  async *watchRun(requestId: string, { signal }: { signal?: AbortSignal | undefined } = {}) {
    const request = create(WatchRunRequestSchema, { requestId });
    for await (const { events } of this.#channel.stream(PluginRunner.method.watchRun, request, signal)) {
      for (const event of events) yield numbersInEvent(event);
    }
  }

  /** Submits a job and resolves once the service has recorded it. A retry attaches to the same job. */
  async submitJob(
    plugin: string,
    action: string,
    params: object = {},
    options: SubmitOptions = {},
  ): Promise<JobHandle> {
    const { labels = {}, jobId = newId(), ...rest } = options;
    checkTexts({ labels });
    const request = create(SubmitJobRequestSchema, {
      ...requestOf(plugin, action, params, { ...rest, jobId }),
      labels,
    });
    const job = await retrying(async () => {
      for await (const { update } of this.#channel.stream(PluginRunner.method.submitJob, request, rest.signal)) {
        if (update.case === "snapshot") return new JobHandle(this, numbersInJob(update.value));
      }
      throw cut("The stream ended before the job was known.");
    }, rest.signal);
    warn(plugin, action, job.snapshot.warnings, rest);
    return job;
  }

  /**
   * Yields the job as it is, then every event after `afterSequence`, each once and in order; ends after the job's last
   * event. Resumes by itself when the stream is cut.
   */
  watchJob(
    jobId: string,
    { afterSequence = 0, ...options }: WatchOptions = {},
  ): AsyncGenerator<JobUpdate, void, undefined> {
    return watchJob(this.#channel, jobId, positionOf(afterSequence), this.#resume(options));
  }

  /** Yields the jobs that match, newest first, then each that changes and the ids of those that no longer match. */
  watchJobs(
    filter?: JobFilterInit,
    options: Omit<WatchOptions, "afterSequence"> = {},
  ): AsyncGenerator<JobsUpdate, void, undefined> {
    return watchJobs(this.#channel, filterOf(filter), this.#resume(options));
  }

  /** Resolves with one job, its params and result included. */
  async getJob(jobId: string, signal?: AbortSignal): Promise<Job> {
    return numbersInJob(present((await this.#call(PluginRunner.method.getJob, { jobId }, signal)).job));
  }

  /** Yields the jobs that match, newest first, a page at a time as they are asked for. */
  async *listJobs(filter?: JobFilterInit, signal?: AbortSignal): AsyncGenerator<Job, void, undefined> {
    let pageToken = "";
    do {
      const request = { pageToken, ...(filter && { filter: create(JobFilterSchema, filter) }) };
      const page = await this.#call(PluginRunner.method.listJobs, request, signal);
      for (const job of page.jobs) yield numbersInJob(job);
      pageToken = page.nextPageToken;
    } while (pageToken !== "");
  }

  /** Tells a job to stop, and resolves with the job as it is then. One that has ended stays as it is. */
  async cancelJob(jobId: string, signal?: AbortSignal): Promise<Job> {
    return numbersInJob(present((await this.#call(PluginRunner.method.cancelJob, { jobId }, signal)).job));
  }

  /** Deletes the record, the events and the files of a job that has ended. */
  async deleteJob(jobId: string, signal?: AbortSignal): Promise<void> {
    const request = create(PluginRunner.method.deleteJob.input, { jobId });
    await retrying(async (failures) => {
      try {
        await this.#channel.unary(PluginRunner.method.deleteJob, request, signal);
      } catch (error) {
        // The try whose answer was lost has deleted it.
        if (failures > 0 && error instanceof RunnerError && error.reason === "JOB_NOT_FOUND") return;
        throw error;
      }
    }, signal);
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
    params: object = {},
    { actionCls = "", entrypoint = actionCls, env = {}, signal }: ValidateOptions = {},
  ): Promise<ValidateParamsResponse> {
    checkTexts({ plugin, action, entrypoint, env });
    const request = { plugin, action, ...encodeParams(params), entrypoint, env };
    return numbersInVerdict(await this.#call(PluginRunner.method.validateParams, request, signal));
  }

  /** Resolves with what this server is and what it offers. */
  async serverInfo(signal?: AbortSignal): Promise<GetServerInfoResponse> {
    return this.#call(PluginRunner.method.getServerInfo, {}, signal);
  }

  /** Lets watches that have lost the server look for it at once, for example when the network is back. */
  reconnect(): void {
    this.#patience.wakeup.wake();
  }

  /** Ends the connection; calls under way fail. */
  close(): void {
    this.#channel.close();
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

  #resume({ signal, onRetry, onState }: Omit<WatchOptions, "afterSequence">): ResumeOptions {
    const { silenceMs, retryForMs, wakeup } = this.#patience;
    const onSilence = (openedAt: number) => this.#channel.renew?.(openedAt);
    return { signal, onRetry, onState, silenceMs, onSilence, retryForMs, wakeup };
  }
}

/** Not `randomUUID`, which pages that came without TLS do not have. */
function newId(): string {
  return Array.from(crypto.getRandomValues(new Uint8Array(16)), (byte) => byte.toString(16).padStart(2, "0")).join("");
}

const runModes = { local: RunMode.LOCAL, task: RunMode.TASK } as const;

/** How much longer the call may take than the run, so that the service's own word about the timeout arrives. */
const deadlineGraceMs = 5_000;

function requestOf(plugin: string, action: string, params: object, options: ActionOptions) {
  const { entrypoint = options.actionCls ?? "", env = {}, jobId = "", timeoutMs, resources } = options;
  checkTexts({ plugin, action, entrypoint, env, job_id: jobId });
  return {
    plugin,
    action,
    ...encodeParams(params),
    entrypoint,
    env,
    jobId,
    ...(timeoutMs !== undefined && { timeout: timeoutOf(timeoutMs) }),
    ...(resources && { resources }),
  };
}

function invalidField(field: string, description: string): RunnerError {
  return invalidRequest({ field, description, rule: "request" });
}

/** A misspelt parameter that nobody hears of is a wrong result that nobody sees. */
function warn(plugin: string, action: string, warnings: readonly FieldViolation[], { onWarning }: ActionOptions): void {
  const tell = onWarning ?? ((one: Violation) => console.warn(`${plugin} ${action}: ${one.field} ${one.description}`));
  for (const { field, description, rule } of warnings) tell({ field, description, rule });
}

/** A sequence as a position of a stream. */
function positionOf(sequence: bigint | number): bigint {
  if (typeof sequence === "bigint" || Number.isSafeInteger(sequence)) return BigInt(sequence);
  throw invalidField("/after_sequence", `is ${sequence}, and has to be a whole number`);
}

/** The largest `google.protobuf.Duration`: 10,000 years. */
const maxTimeoutMs = 315_576_000_000 * 1000;

function timeoutOf(timeoutMs: number): Duration {
  if (typeof timeoutMs !== "number") throw invalidField("/timeout", "is no number of milliseconds");
  if (timeoutMs >= 0 && timeoutMs <= maxTimeoutMs) return durationFromMs(Math.round(timeoutMs));
  throw invalidField("/timeout", `is ${timeoutMs} ms, and has to be from 0 to ${maxTimeoutMs} ms`);
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
