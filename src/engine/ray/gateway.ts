import { setTimeout as delay } from "node:timers/promises";
import { Agent } from "undici";
import { PluginRunnerError, shuttingDown } from "../../errors.ts";
import { abortable } from "../../util/abortable.ts";
import { isObject } from "../../util/is-object.ts";
import type { Log } from "../../util/log.ts";
import type { Dashboard } from "./dashboard.ts";
import type { RayJob } from "./dashboard-answers.ts";
import { DashboardError } from "./dashboard-error.ts";
import { entryCommand } from "./entry-command.ts";
import { hasEnded } from "./job-states.ts";
import type { Packages } from "./packages.ts";

export interface GatewayOptions {
  dashboard: Dashboard;
  packages: Packages;
  /** The port that a gateway listens at on its node; 0 for a free one. */
  port: number;
  /** The interpreter on the head node: see `entryCommand`. */
  python?: string | undefined;
  /** How long a gateway stays that nobody uses, in milliseconds. */
  idleMs: number;
  log: Log;
  /** How long finding or starting one may take, in milliseconds. Default: one minute. */
  startMs?: number;
}

/** Where a gateway listens, and what it asks for. */
export interface GatewayAddress {
  readonly jobId: string;
  readonly origin: string;
  readonly token: string;
}

export interface GatewayHealth {
  /** The version that the gateway runs on. */
  ray: string;
  /** The interpreter that it runs in, and its version. */
  python: string;
  /** What the cluster has, by Ray's names; `memory` in bytes. */
  resources: Readonly<Record<string, number>>;
  workers: number;
  waiting: number;
  reserve: number;
}

const prefix = "plugin-runner-gateway";
const pollMs = 50;
const healthMs = 3000;

/**
 * The gateway of a cluster: a Ray job of this version's library, shared by all services that use the cluster. Its id
 * ends in a generation, and ids are unique: of several services that miss it, one starts the next generation and all use it.
 */
export class Gateway {
  readonly #options: GatewayOptions;
  readonly #agent = new Agent({ connect: { timeout: healthMs } });
  readonly #closing = new AbortController();
  #found: Promise<GatewayAddress> | undefined;

  constructor(options: GatewayOptions) {
    this.#options = options;
  }

  /**
   * Where the gateway is; starts it when there is none. Callers share the search, which goes on when one of them leaves.
   * @throws ENGINE_UNAVAILABLE when it cannot be started or reached
   */
  find(signal: AbortSignal): Promise<GatewayAddress> {
    const found = this.#found ?? this.#search();
    return abortable(found, signal);
  }

  /** To be told of a gateway that did not answer: the next one who asks looks for it anew. */
  async forget(address: GatewayAddress): Promise<void> {
    const found = this.#found;
    if (found && (await found.catch(() => undefined)) === address && this.#found === found) this.#found = undefined;
  }

  /** The state of a gateway. Undefined when it does not answer, or is about to end. */
  async health({ origin, token }: GatewayAddress): Promise<GatewayHealth | undefined> {
    const signal = AbortSignal.any([AbortSignal.timeout(healthMs), this.#closing.signal]);
    const headers = { authorization: `Bearer ${token}` };
    try {
      const { statusCode, body } = await this.#agent.request({
        origin,
        path: "/healthz",
        method: "GET",
        headers,
        signal,
      });
      const said: unknown = await body.json();
      return statusCode === 200 ? readHealth(said) : undefined;
    } catch (error) {
      this.#options.log("debug", "the gateway does not answer", { origin, error });
      return undefined;
    }
  }

  async close(): Promise<void> {
    this.#closing.abort(shuttingDown());
    await this.#agent.destroy();
  }

  #search(): Promise<GatewayAddress> {
    const limit = AbortSignal.timeout(this.#options.startMs ?? 60_000);
    const found = this.#findOrStart(AbortSignal.any([limit, this.#closing.signal]));
    this.#found = found;
    found.catch(() => {
      if (this.#found === found) this.#found = undefined;
    });
    return found;
  }

  async #findOrStart(signal: AbortSignal): Promise<GatewayAddress> {
    const { dashboard, packages, log } = this.#options;
    const library = await packages.library(signal);
    const family = `${prefix}-${digestOf(library)}`;
    const known = (await dashboard.listJobs(signal)).filter(
      ({ submissionId }) => generationOf(family, submissionId) > 0,
    );
    const generations = known.map(({ submissionId }) => generationOf(family, submissionId));
    const newest = Math.max(0, ...generations);
    const old = known.filter((job) => hasEnded(job) && generationOf(family, job.submissionId) < newest);
    for (const { submissionId } of old) {
      dashboard
        .deleteJob(submissionId)
        .catch((error: unknown) => log("debug", "an old gateway's record stays", { error }));
    }
    for (let generation = Math.max(1, newest), started = false; ; generation++) {
      const jobId = `${family}-${generation}`;
      if (generation > newest) {
        if (started) throw await this.#broken(`${family}-${generation - 1}`);
        started = true;
        await this.#submit(jobId, library, signal);
      }
      const address = await this.#reach(jobId, signal);
      if (address) return address;
    }
  }

  /** Whoever comes first starts it; a lost answer and a taken id are looked into before they are a failure. */
  async #submit(jobId: string, library: string, signal: AbortSignal): Promise<void> {
    const { dashboard, python, port, idleMs, log } = this.#options;
    try {
      await dashboard.submitJob(
        {
          submissionId: jobId,
          entrypoint: entryCommand(
            python,
            {},
            `plugin_runner.ray_gateway --job-id ${jobId} --port ${port} --idle-seconds ${idleMs / 1000}`,
          ),
          runtimeEnv: { py_modules: [library] },
          metadata: { name: jobId, purpose: "runs the tasks of plugin-runner services" },
        },
        signal,
      );
      log("info", "a gateway was started on Ray", { job: jobId });
    } catch (error) {
      if (!(error instanceof DashboardError) || (await dashboard.getJob(jobId, signal)) === undefined) throw error;
    }
  }

  /** Waits until a gateway's job says where it listens and answers there. Undefined when the job has ended. */
  async #reach(jobId: string, signal: AbortSignal): Promise<GatewayAddress | undefined> {
    const { dashboard, startMs = 60_000 } = this.#options;
    let silent: GatewayAddress | undefined;
    try {
      while (true) {
        const job = await dashboard.getJob(jobId, signal);
        if (job === undefined || hasEnded(job)) return undefined;
        const address = job.nodeId === "" ? undefined : await this.#published(job, signal);
        if (address && (await this.health(address))) return address;
        silent = address;
        await delay(pollMs, undefined, { signal });
      }
    } catch (error) {
      this.#closing.signal.throwIfAborted();
      if (!signal.aborted) throw error;
      throw silent ? unreachable(silent) : notReady(jobId, startMs);
    }
  }

  async #published({ submissionId, nodeId }: RayJob, signal: AbortSignal): Promise<GatewayAddress | undefined> {
    const file = await this.#options.dashboard.logFile({ nodeId, filename: `${submissionId}.json` }, signal);
    return file && readAddress(submissionId, file.toString("utf8"));
  }

  async #broken(jobId: string): Promise<PluginRunnerError> {
    const { dashboard, log } = this.#options;
    const message = (await dashboard.getJob(jobId))?.message ?? "";
    log("error", "the gateway on Ray ended at once", { job: jobId, said: message });
    return new PluginRunnerError(
      "ENGINE_UNAVAILABLE",
      `The gateway on Ray ended as soon as it was started: ${lastWords(message)} See the log of Ray job ${jobId}.`,
      { metadata: { job: jobId, cause: lastWords(message) }, retryAfterMs: 10_000 },
    );
  }
}

/** Of a message that ends in the last lines of a log: why the gateway could not start, where it says so, or the last of them. */
function lastWords(message: string): string {
  const lines = message.split("\n").map((line) => line.trim());
  const own = lines.find((line) => line.startsWith("The gateway cannot start:"));
  const last = own ?? lines.findLast((line) => line !== "") ?? "it left no word";
  return last.endsWith(".") ? last : `${last}.`;
}

/** The name of a package comes from its content. */
function digestOf(uri: string): string {
  return /_ray_pkg_([0-9a-f]{12})/.exec(uri)?.[1] ?? "unknown";
}

/** 0 for a job of another family. */
function generationOf(family: string, jobId: string): number {
  const suffix = jobId.startsWith(`${family}-`) ? jobId.slice(family.length + 1) : "";
  return /^[1-9]\d{0,9}$/.test(suffix) ? Number(suffix) : 0;
}

function readAddress(jobId: string, text: string): GatewayAddress | undefined {
  // The log interface may put marks before the content.
  const found = /\{.*\}/.exec(text)?.[0];
  const said: unknown = found === undefined ? undefined : JSON.parse(found);
  if (!isObject(said) || typeof said.origin !== "string" || typeof said.token !== "string") return undefined;
  return { jobId, origin: said.origin, token: said.token };
}

function readHealth(said: unknown): GatewayHealth | undefined {
  if (!isObject(said) || said.ok !== true) return undefined;
  const count = (value: unknown) => (typeof value === "number" ? value : 0);
  return {
    ray: typeof said.ray === "string" ? said.ray : "",
    python: typeof said.python === "string" ? said.python : "",
    resources: isObject(said.resources) ? numbersOf(said.resources) : {},
    workers: count(said.workers),
    waiting: count(said.waiting),
    reserve: count(said.reserve),
  };
}

function numbersOf(values: Record<string, unknown>): Record<string, number> {
  return Object.fromEntries(
    Object.entries(values).flatMap(([name, value]) => (typeof value === "number" ? [[name, value]] : [])),
  );
}

function unreachable({ jobId, origin }: GatewayAddress): PluginRunnerError {
  return new PluginRunnerError(
    "ENGINE_UNAVAILABLE",
    `The gateway on Ray listens at ${origin}, which does not answer from here. Let the service reach the nodes of the cluster.`,
    { metadata: { job: jobId, address: origin }, retryAfterMs: 10_000 },
  );
}

function notReady(jobId: string, startMs: number): PluginRunnerError {
  return new PluginRunnerError(
    "ENGINE_UNAVAILABLE",
    `The gateway on Ray was not ready within ${startMs / 1000} s: see Ray job ${jobId}.`,
    { metadata: { job: jobId }, retryAfterMs: 10_000 },
  );
}
