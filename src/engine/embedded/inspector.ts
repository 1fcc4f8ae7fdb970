import type { JsonObject, JsonValue } from "@bufbuild/protobuf";
import { readErrorRecord, shuttingDown } from "../../errors.ts";
import type { Inspector, LoadedAction, LoadedPlugin, ValidParams } from "../../plugin/plugin.ts";
import { isJsonObject } from "../../util/json.ts";
import { type Carried, withNumbers } from "../../util/non-finite.ts";
import type { Launcher } from "../../worker/launcher.ts";
import type { ActionIssue, DescribedAction, ScannedAction, WorkerResult } from "../../worker/messages.ts";
import { WorkerPool, type WorkerSource } from "../../worker/worker-pool.ts";
import type { WorkerProcess } from "../../worker/worker-process.ts";
import type { BuildWatcher } from "../engine.ts";
import { onTheWire } from "../on-the-wire.ts";
import { planFor, type WorkerPlan } from "../worker-plan.ts";
import type { Environments } from "./environment.ts";

/** Workers that only look at plugins are few and soon gone. */
const limits = { maxWorkers: 8, maxWorkersPerKey: 1, depth: 1, maxQueued: 1000, idleMs: 30_000 };

/** Of one action. */
const maxIssues = 100;

/** Stands for the worker that is never bound. */
const scanner = {};

/** Looks into plugins from outside this process: reads their code, or loads it to ask for schemas and verdicts. */
export class EmbeddedInspector implements Inspector {
  readonly #scanners: WorkerPool<object>;
  readonly #pool: WorkerPool<WorkerPlan>;
  readonly #environments: Environments;

  constructor(
    launcher: Launcher,
    python: () => Promise<string>,
    workers: WorkerSource<WorkerPlan>,
    environments: Environments,
  ) {
    this.#environments = environments;
    this.#scanners = new WorkerPool<object>(
      { start: async (): Promise<WorkerProcess> => launcher.take("python", await python()) },
      { ...limits, maxWorkers: 1 },
    );
    this.#pool = new WorkerPool(workers, limits);
  }

  async scan(root: string, module: string, signal: AbortSignal): Promise<ScannedAction[]> {
    const found = await this.#scanners.request(scanner, { type: "scan", root, module }, signal);
    return list(found).map((one) => ({
      name: text(one.name),
      description: text(one.description),
      entrypoint: text(one.entrypoint),
      line: typeof one.line === "number" ? one.line : 0,
    }));
  }

  async describe(
    plugin: LoadedPlugin,
    entrypoints: Readonly<Record<string, string>>,
    signal: AbortSignal,
    env: Readonly<Record<string, string>> = {},
  ): Promise<DescribedAction[]> {
    const request = { type: "describe", entrypoints: { ...entrypoints }, env: { ...env } } as const;
    return list(await this.#pool.request(planFor(plugin, env), request, signal)).map(toDescribed);
  }

  /** Builds what the plugin's code needs, so that no time limit of loading it covers the build. */
  async prepare(plugin: LoadedPlugin, signal: AbortSignal, watcher: BuildWatcher = {}): Promise<void> {
    await this.#environments.prepare(plugin, watcher, signal);
  }

  isKnown(plugin: LoadedPlugin): boolean {
    return this.#environments.isKnown(plugin);
  }

  isReady(plugin: LoadedPlugin): Promise<boolean> {
    return this.#environments.isReady(plugin);
  }

  buildOf(plugin: LoadedPlugin): string | undefined {
    return this.#environments.buildOf(plugin);
  }

  /**
   * The params with defaults, and what the action does not use of them, as its code sees them in an environment with
   * `env`. Throws PARAMS_INVALID.
   */
  async validate(
    action: LoadedAction,
    params: Carried<JsonObject>,
    env: Readonly<Record<string, string>>,
    signal: AbortSignal,
  ): Promise<ValidParams> {
    const request = { type: "validate", entrypoint: action.entrypoint, ...onTheWire(params), env: { ...env } } as const;
    const {
      value,
      non_finite: nonFinite = [],
      warnings = [],
    } = await this.#pool.request(planFor(action.plugin, env), request, signal);
    return { params: isJsonObject(value) ? { value, nonFinite } : params, warnings };
  }

  async close(signal: AbortSignal): Promise<void> {
    const lost = shuttingDown(); // no action has begun
    await Promise.all([this.#scanners.close(signal, lost), this.#pool.close(signal, lost)]);
  }
}

function toDescribed(one: JsonObject): DescribedAction {
  return {
    name: text(one.name),
    description: text(one.description),
    entrypoint: text(one.entrypoint),
    params_schema: isJsonObject(one.params_schema) ? one.params_schema : null,
    result_schema: isJsonObject(one.result_schema) ? one.result_schema : null,
    ...(isJsonObject(one.error) && { error: readErrorRecord(one.error) }),
    ...(Array.isArray(one.issues) && { issues: one.issues.filter(isJsonObject).slice(0, maxIssues).map(toIssue) }),
  };
}

function toIssue({ message, file, line }: JsonObject): ActionIssue {
  return { message: text(message).slice(0, 1000), file: text(file), line: typeof line === "number" ? line : 0 };
}

/** Numbers stand as such in the schemas that code tells of. */
function list({ value: carried, non_finite: nonFinite = [] }: WorkerResult): JsonObject[] {
  const value = withNumbers(carried, nonFinite);
  return Array.isArray(value) ? value.filter(isJsonObject) : [];
}

function text(value: JsonValue | undefined): string {
  return typeof value === "string" ? value : "";
}
