import type { LoadedPlugin } from "../../plugin/plugin.ts";
import type { Launcher } from "../../worker/launcher.ts";
import type { WorkerSource } from "../../worker/worker-pool.ts";
import type { WorkerProcess } from "../../worker/worker-process.ts";
import type { Environments } from "./environment.ts";

/** Starts workers for plugins: in the environment that their requirements ask for, and bound to their code. */
export class PluginWorkers implements WorkerSource<LoadedPlugin> {
  readonly #launcher: Launcher;
  readonly #environments: Environments;

  constructor(launcher: Launcher, environments: Environments) {
    this.#launcher = launcher;
    this.#environments = environments;
  }

  async start(plugin: LoadedPlugin, signal: AbortSignal): Promise<WorkerProcess> {
    const { python, packages } = await this.#environments.prepare(plugin, () => {}, signal);
    const worker = await this.#launcher.take(plugin.binding.language, python);
    this.#launcher.bind(worker, { ...plugin.binding, packages });
    return worker;
  }
}
