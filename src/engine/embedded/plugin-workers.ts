import { unchangedTree } from "../../plugin/plugin-source.ts";
import type { Trees } from "../../plugin/trees.ts";
import type { Launcher } from "../../worker/launcher.ts";
import type { WorkerSource } from "../../worker/worker-pool.ts";
import type { WorkerProcess } from "../../worker/worker-process.ts";
import type { WorkerPlan } from "../worker-plan.ts";
import type { Environments } from "./environment.ts";

/** Starts workers for plugins: in the environment that their requirements ask for, and bound to their code. */
export class PluginWorkers implements WorkerSource<WorkerPlan> {
  readonly #launcher: Launcher;
  readonly #environments: Environments;
  readonly #trees: Trees;
  readonly #passedEnv: Readonly<Record<string, string>>;

  /** `passedEnv` are the variables of this service that plugins are meant to see. */
  constructor(
    launcher: Launcher,
    environments: Environments,
    trees: Trees,
    passedEnv: Readonly<Record<string, string>>,
  ) {
    this.#launcher = launcher;
    this.#environments = environments;
    this.#trees = trees;
    this.#passedEnv = passedEnv;
  }

  /** Rejects with PLUGIN_CHANGED when the plugin's files are no longer those that its digest names. */
  async start({ plugin, env: startEnv, memoryMib }: WorkerPlan, signal: AbortSignal): Promise<WorkerProcess> {
    const { python, packages } = await this.#environments.prepare(plugin, {}, signal);
    const { binding } = plugin;
    const release = this.#environments.hold(plugin);
    const env = { ...this.#passedEnv, ...binding.env, ...startEnv };
    const mustStartWith = Object.keys(startEnv).length > 0 || memoryMib !== undefined;
    const starting = mustStartWith
      ? this.#launcher.start(binding.language, python, { env, root: binding.root, memoryMib })
      : this.#launcher.take(binding.language, python);
    const worker = await starting.catch((error: unknown) => {
      release();
      throw error;
    });
    worker.exited.then(release);
    try {
      await unchangedTree(plugin, this.#trees);
      this.#launcher.bind(worker, { ...binding, packages, env });
      return worker;
    } catch (error) {
      worker.kill();
      throw error;
    }
  }
}
