import type { WorkerResult } from "../../worker/messages.ts";
import { WorkerPool, type WorkerPoolOptions, type WorkerSource } from "../../worker/worker-pool.ts";
import type { Task, TaskPool } from "../engine.ts";
import { onTheWire } from "../on-the-wire.ts";
import { planFor, type WorkerPlan } from "../worker-plan.ts";

/** Runs tasks on the worker processes of this machine, a pool of them for each version of a plugin. */
export class EmbeddedTaskPool implements TaskPool {
  readonly #pool: WorkerPool<WorkerPlan>;

  constructor(workers: WorkerSource<WorkerPlan>, options: WorkerPoolOptions) {
    this.#pool = new WorkerPool(workers, options);
  }

  run({ action, params, env, jobId, resources, output }: Task, signal: AbortSignal): Promise<WorkerResult> {
    const { name, entrypoint, plugin } = action;
    const memoryMib = resources?.memoryMib;
    const limit = memoryMib === undefined ? {} : { memory_mib: memoryMib };
    const given = { ...onTheWire(params), env: { ...env }, job_id: jobId, ...limit };
    const request = { type: "run", action: name, entrypoint, ...given } as const;
    return this.#pool.request(planFor(plugin, env, memoryMib), request, signal, output);
  }

  close(signal: AbortSignal): Promise<void> {
    return this.#pool.close(signal);
  }
}
