import type { Trees } from "../../plugin/trees.ts";
import type { Log } from "../../util/log.ts";
import type { WorkerResult } from "../../worker/messages.ts";
import type { RunArtifacts } from "../../worker/run-artifacts.ts";
import type { WorkerSource } from "../../worker/worker-pool.ts";
import type { Environments } from "../embedded/environment.ts";
import { EmbeddedTaskPool } from "../embedded/task-pool.ts";
import type { Task, TaskPool } from "../engine.ts";
import { planFor, type WorkerPlan } from "../worker-plan.ts";
import { InProcess } from "./in-process.ts";

/** One worker a plugin, sent ahead as much as keeps it busy. */
const resident = { maxWorkers: 64, maxWorkersPerKey: 1, depth: 32 };
const maxInProcess = 1024;

export interface LocalPoolOptions {
  workers: WorkerSource<WorkerPlan>;
  environments: Environments;
  trees: Trees;
  dir: string;
  artifacts: RunArtifacts;
  /** The variables of this service that plugins are meant to see. */
  passedEnv: Readonly<Record<string, string>>;
  /** Whether JavaScript runs in this process, or in a worker as Python does. */
  inProcess: boolean;
  /** How long loading a plugin's code may take, in milliseconds. */
  loadTimeoutMs: number;
  log: Log;
  maxQueued: number;
  idleMs: number;
}

/** Runs actions where they are quickest: JavaScript in this process, and what cannot be there in one worker that stays. */
export class LocalPool implements TaskPool {
  readonly #workers: TaskPool;
  readonly #inProcess: TaskPool | undefined;

  constructor(options: LocalPoolOptions) {
    const { workers, inProcess, maxQueued, idleMs } = options;
    this.#workers = new EmbeddedTaskPool(workers, { ...resident, maxQueued, idleMs });
    this.#inProcess = inProcess ? new InProcess({ ...options, maxRunning: maxInProcess }) : undefined;
  }

  run(task: Task, signal: AbortSignal): Promise<WorkerResult> {
    const { plugin } = task.action;
    // This process has started already: variables that are read at the start, or a limit, would have no effect here.
    const isFree = task.resources?.memoryMib === undefined;
    const fits =
      isFree && plugin.binding.language === "javascript" && Object.keys(planFor(plugin, task.env).env).length === 0;
    return ((fits && this.#inProcess) || this.#workers).run(task, signal);
  }

  async close(signal: AbortSignal): Promise<void> {
    await Promise.all([this.#workers.close(signal), this.#inProcess?.close(signal)]);
  }
}
