import type { LoadedPlugin } from "../../plugin/plugin.ts";
import { unchangedTree } from "../../plugin/plugin-source.ts";
import type { Trees } from "../../plugin/trees.ts";
import type { Launcher } from "../../worker/launcher.ts";
import type { WorkerSource } from "../../worker/worker-pool.ts";
import type { WorkerProcess } from "../../worker/worker-process.ts";
import type { Environments } from "./environment.ts";

/** Starts workers for plugins: in the environment that their requirements ask for, and bound to their code. */
export class PluginWorkers implements WorkerSource<LoadedPlugin> {
  readonly #launcher: Launcher;
  readonly #environments: Environments;
  readonly #trees: Trees;

  constructor(launcher: Launcher, environments: Environments, trees: Trees) {
    this.#launcher = launcher;
    this.#environments = environments;
    this.#trees = trees;
  }

  /** Rejects with PLUGIN_CHANGED when the plugin's files are no longer those that its digest names. */

  async start(plugin: LoadedPlugin, signal: AbortSignal): Promise<WorkerProcess> {
    const { python, packages } = await this.#environments.prepare(plugin, () => {}, signal);
    const worker = await this.#launcher.take(plugin.binding.language, python);
    try {
      await unchangedTree(plugin, this.#trees);
    } catch (error) {
      worker.kill();
      throw error;
    }
    this.#launcher.bind(worker, { ...plugin.binding, packages });
    return worker;
  }
}
