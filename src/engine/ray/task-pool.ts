import { Agent, type Dispatcher } from "undici";
import type { Resources } from "../../../gen/ts/pluginrunner/v1/plugin_pb.ts";
import { endedWithServer, fromErrorRecord, PluginRunnerError, readErrorRecord, shuttingDown } from "../../errors.ts";
import type { LoadedPlugin } from "../../plugin/plugin.ts";
import { abortable } from "../../util/abortable.ts";
import { hasCode } from "../../util/has-code.ts";
import { isObject } from "../../util/is-object.ts";
import { jsonText } from "../../util/json-text.ts";
import { LineSplitter } from "../../util/lines.ts";
import type { WorkerAnswer, WorkerResult } from "../../worker/messages.ts";
import { readResult } from "../../worker/result.ts";
import { startVariables } from "../../worker/start-variables.ts";
import { decisiveLines } from "../build-failure.ts";
import type { Task, TaskPool } from "../engine.ts";
import { onTheWire } from "../on-the-wire.ts";
import { planFor, type WorkerPlan } from "../worker-plan.ts";
import type { Gateway, GatewayAddress } from "./gateway.ts";
import { actorOptions } from "./gateway-actor.ts";
import { GatewayPulse } from "./gateway-pulse.ts";
import type { NodePackages } from "./job-submission.ts";
import type { Packages } from "./packages.ts";

export interface RayTaskPoolOptions {
  gateway: Pick<Gateway, "find" | "forget" | "health" | "close">;
  packages: Pick<Packages, "plugin" | "library" | "files">;
  nodePackages: NodePackages;
  /** Variables that plugins may see beside those of their configuration. */
  env: Readonly<Record<string, string>>;
  /** How many workers the gateway may have for this service and others alike. */
  maxWorkers: number;
  /** How many tasks of this service may wait beside those. */
  maxQueued: number;
  /** How long a worker without work is kept, in milliseconds. */
  idleMs: number;
  /** How long an action has to end in its own way, in milliseconds. */
  graceMs: number;
  /** How long loading a plugin's code may take, in milliseconds. */
  loadTimeoutMs: number;
  /** How long what runs make known is kept on its node, in milliseconds; 0: with the run. */
  keepArtifactsMs: number;
  /** How often a gateway is asked whether it is there while it has runs, in milliseconds. Default: 5,000. */
  pulseMs?: number;
}

/** The gateway keeps connections longer than this, so that it never closes one that is just used. */
const keepAliveMs = 60_000;
const connectMs = 5000;
const maxAnswerBytes = 64 * 1024 * 1024;
const maxAttempts = 4;
/** Callers may send ever new variables; what is forgotten is made again. */
const maxSpecs = 64;

/** An attempt that certainly started nothing: the next one may succeed. */
class NotStarted extends Error {}

/** Runs tasks on a Ray cluster, through the gateway. */
export class RayTaskPool implements TaskPool {
  readonly #options: RayTaskPoolOptions;
  readonly #agent: Agent;
  readonly #pulse: GatewayPulse;
  /** What the gateway is told of a plugin; by the actor's options as text. */
  readonly #specs = new WeakMap<LoadedPlugin, Map<string, string>>();
  /** Resolves once nothing is under way while this closes. */
  readonly #idle = Promise.withResolvers<void>();
  #underWay = 0;
  #closing = false;
  /** Whether the connections were ended. */
  #ended = false;

  constructor(options: RayTaskPoolOptions) {
    this.#options = options;
    this.#pulse = new GatewayPulse(options.gateway, options.pulseMs ?? 5000);
    // No time limits of undici's: a task may take as long as it is allowed to.
    this.#agent = new Agent({
      headersTimeout: 0,
      bodyTimeout: 0,
      keepAliveTimeout: keepAliveMs,
      keepAliveMaxTimeout: keepAliveMs,
      maxResponseSize: maxAnswerBytes,
      connect: { timeout: connectMs },
    });
  }

  async run(task: Task, signal: AbortSignal): Promise<WorkerResult> {
    signal.throwIfAborted();
    if (this.#closing) throw shuttingDown();
    const { maxWorkers, maxQueued } = this.#options;
    if (this.#underWay >= maxWorkers + maxQueued) throw overloaded(maxQueued);
    this.#underWay++;
    try {
      return await this.#run(task, signal);
    } finally {
      this.#underWay--;
      if (this.#closing && this.#underWay === 0) this.#idle.resolve();
    }
  }

  async close(signal: AbortSignal): Promise<void> {
    this.#closing = true;
    if (this.#underWay > 0) await abortable(this.#idle.promise, signal).catch(() => {});
    this.#ended = true;
    await this.#agent.destroy(); // a gateway ends the runs of a caller that leaves
    await this.#options.gateway.close();
  }

  async #run({ action, params, env, jobId, resources, waiting }: Task, signal: AbortSignal): Promise<WorkerResult> {
    const { name, entrypoint, plugin } = action;
    const limit = resources?.memoryMib === undefined ? {} : { memory_mib: resources.memoryMib };
    const request = { type: "run", action: name, entrypoint, ...onTheWire(params), env, job_id: jobId, ...limit };
    const line = jsonText(request);
    let known = true;
    for (let attempt = 1; ; attempt++) {
      const spec = await this.#spec(planFor(plugin, env), resources, known, signal);
      const gateway = await this.#options.gateway.find(signal);
      try {
        if (this.#ended) throw shuttingDown();
        const answer = await this.#askWhileThere(gateway, `${spec}\n${line}`, waiting, signal);
        if (answer !== "package missing") return resultOf(answer);
        known = false;
        if (attempt === maxAttempts) throw unavailable("Ray loses the plugin's package as soon as it is stored.");
      } catch (error) {
        if (!(error instanceof NotStarted)) throw error;
        if (attempt === maxAttempts) throw unavailable("The gateway on Ray does not take the run.", error.cause);
        await this.#options.gateway.forget(gateway);
      }
    }
  }

  /** The line that tells the gateway of a plugin. With `known` false, its package is brought to the cluster again. */
  async #spec(
    { plugin, env: planned }: WorkerPlan,
    resources: Resources | undefined,
    known: boolean,
    signal: AbortSignal,
  ): Promise<string> {
    const key = JSON.stringify([resources, planned]);
    const specs = this.#specs.get(plugin) ?? new Map<string, string>();
    this.#specs.set(plugin, specs);
    const spec = specs.get(key);
    if (spec !== undefined && known) return spec;
    const { packages, env, graceMs, loadTimeoutMs, idleMs, maxWorkers, keepArtifactsMs } = this.#options;
    const uri = await packages.plugin(plugin, signal);
    const options = await actorOptions(plugin, uri, resources, this.#options, signal);
    const { root, origin = root } = plugin.binding;
    const startEnv = { ...startVariables(env), ...planned };
    const made = JSON.stringify({
      binding: { ...plugin.binding, root: "", origin, env: { ...env, ...plugin.binding.env, ...startEnv } },
      package: uri ?? "",
      options,
      grace_seconds: graceMs / 1000,
      idle_seconds: idleMs / 1000,
      max_workers: maxWorkers,
      start_env: startEnv,
      artifact_seconds: keepArtifactsMs / 1000,
      load_timeout_seconds: loadTimeoutMs / 1000,
    });
    if (specs.size >= maxSpecs) specs.clear();
    specs.set(key, made);
    return made;
  }

  async #askWhileThere(gateway: GatewayAddress, body: string, waiting: Task["waiting"], signal: AbortSignal) {
    const { lost, leave } = this.#pulse.join(gateway);
    try {
      return await this.#ask(gateway, body, waiting, AbortSignal.any([signal, lost]));
    } catch (error) {
      if (!lost.aborted || signal.aborted) throw error;
      await this.#options.gateway.forget(gateway);
      throw gatewayLost("The gateway on Ray does not answer any more.", error);
    } finally {
      leave();
    }
  }

  async #ask(
    gateway: GatewayAddress,
    body: string,
    waiting: Task["waiting"],
    signal: AbortSignal,
  ): Promise<WorkerAnswer | "package missing"> {
    const response = await this.#send(gateway, body, signal);
    const isStream = response.headers["content-type"] === "application/x-ndjson";
    const text = await (isStream ? lastLine(response.body, waiting) : response.body.text()).catch((error: unknown) => {
      throw this.#lost(error, signal);
    });
    if (isStream && text.startsWith('{"missing":')) return "package missing";
    if (response.statusCode === 200) return readAnswer(text);
    if (response.statusCode === 424) return "package missing";
    const cause = new Error(`The gateway said ${response.statusCode}: ${text.slice(0, 500)}`);
    if (response.statusCode === 401 || response.statusCode === 503) throw new NotStarted("", { cause });
    throw new PluginRunnerError("INTERNAL", "The gateway on Ray failed; the service's log has the cause.", { cause });
  }

  async #send({ origin, token }: GatewayAddress, body: string, signal: AbortSignal): Promise<Dispatcher.ResponseData> {
    const headers = { authorization: `Bearer ${token}` };
    try {
      return await this.#agent.request({ origin, path: "/run", method: "POST", headers, body, signal });
    } catch (error) {
      if (!signal.aborted && !this.#closing && neverConnected(error)) throw new NotStarted("", { cause: error });
      throw this.#lost(error, signal);
    }
  }

  /** The connection broke: the action may have run. */
  #lost(error: unknown, signal: AbortSignal): unknown {
    if (signal.aborted) return signal.reason;
    if (this.#closing) return endedWithServer();
    return gatewayLost("The gateway on Ray was lost during the run.", error);
  }
}

/** The answer that ends a stream; tells `waiting` what the lines before it say. */
async function lastLine(body: AsyncIterable<Uint8Array>, waiting: Task["waiting"]): Promise<string> {
  const lines = new LineSplitter(maxAnswerBytes);
  const rest: string[] = [];
  const decoder = new TextDecoder();
  for await (const chunk of body) {
    for (const line of lines.push(chunk)) {
      const said = parseJson(decoder.decode(line));
      if (isObject(said) && typeof said.waiting === "string") waiting?.(said.waiting);
      else rest.push(decoder.decode(line));
    }
  }
  return rest.at(-1) ?? "";
}

function readAnswer(text: string): WorkerAnswer {
  const answer = parseJson(text);
  if (isAnswer(answer)) return answer;
  throw new PluginRunnerError("INTERNAL", "The gateway on Ray gave an answer that is none.", {
    cause: text.slice(0, 500),
  });
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

function isAnswer(value: unknown): value is WorkerAnswer {
  return typeof value === "object" && value !== null && "ok" in value && ("value" in value || "error" in value);
}

function resultOf(answer: WorkerAnswer): WorkerResult {
  if (answer.ok) return readResult(answer.value, answer.non_finite, answer.warnings);
  const error = fromErrorRecord(readErrorRecord(answer.error));
  throw error.reason === "ENGINE_UNAVAILABLE" ? unavailable(error.message) : withCauseFirst(error);
}

/** Of an installer's output, what decided comes first. */
function withCauseFirst(error: PluginRunnerError): PluginRunnerError {
  const { installer_output: output = "" } = error.metadata;
  const cause = decisiveLines(output.split("\n"));
  if (cause.length === 0) return error;
  const message = `The plugin's requirements could not be installed on Ray: ${cause.join("; ")}.\n${output}`;
  return new PluginRunnerError(error.reason, message, { metadata: { ...error.metadata, cause: cause.join("\n") } });
}

function neverConnected(error: unknown): boolean {
  const codes = ["ECONNREFUSED", "EHOSTUNREACH", "ENETUNREACH", "ENOTFOUND", "ETIMEDOUT", "UND_ERR_CONNECT_TIMEOUT"];
  return hasCode(error, ...codes);
}

/** Of the run that it had taken, nobody knows how far it came. */
function gatewayLost(message: string, cause: unknown): PluginRunnerError {
  return new PluginRunnerError("WORKER_LOST", message, { metadata: { started: "unknown" }, cause });
}

function unavailable(message: string, cause?: unknown): PluginRunnerError {
  return new PluginRunnerError("ENGINE_UNAVAILABLE", message, { retryAfterMs: 2000, cause });
}

function overloaded(limit: number): PluginRunnerError {
  return new PluginRunnerError("OVERLOADED", `${limit} runs wait for a worker already; try again later.`, {
    metadata: { limit: "max_queued_runs", value: String(limit) },
    retryAfterMs: 1000,
  });
}
