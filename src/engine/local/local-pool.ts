import type { LoadedPlugin } from "../../plugin/plugin.ts";
import type { Trees } from "../../plugin/trees.ts";
import type { WorkerResult } from "../../worker/messages.ts";
import type { WorkerSource } from "../../worker/worker-pool.ts";
import type { Environments } from "../embedded/environment.ts";
import { EmbeddedTaskPool } from "../embedded/task-pool.ts";
import type { Task, TaskPool } from "../engine.ts";
import { InProcess } from "./in-process.ts";

/** One worker a plugin, sent ahead as much as keeps it busy. */
const resident = { maxWorkers: 64, maxWorkersPerKey: 1, depth: 32 };
const maxInProcess = 1024;

export interface LocalPoolOptions {
  workers: WorkerSource<LoadedPlugin>;
  environments: Environments;
  trees: Trees;
  dir: string;
  /** Whether JavaScript runs in this process, or in a worker as Python does. */
  inProcess: boolean;
  maxQueued: number;
  idleMs: number;
}

/** Runs actions where they are quickest: JavaScript in this process, and what cannot be there in one worker that stays. */
export class LocalPool implements TaskPool {
  readonly #workers: TaskPool;
  readonly #inProcess: TaskPool | undefined;

  constructor({ workers, environments, trees, dir, inProcess, maxQueued, idleMs }: LocalPoolOptions) {
    this.#workers = new EmbeddedTaskPool(workers, { ...resident, maxQueued, idleMs });
    this.#inProcess = inProcess ? new InProcess({ dir, environments, trees, maxRunning: maxInProcess }) : undefined;
  }

  run(task: Task, signal: AbortSignal): Promise<WorkerResult> {
    const { language } = task.action.plugin.binding;
    return (language === "javascript" ? (this.#inProcess ?? this.#workers) : this.#workers).run(task, signal);
  }

  async close(signal: AbortSignal): Promise<void> {
    await Promise.all([this.#workers.close(signal), this.#inProcess?.close(signal)]);
  }
}
