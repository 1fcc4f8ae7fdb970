import { readdirSync, readFileSync, rmSync } from "node:fs";
import { mkdir, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { shuttingDown } from "../../errors.ts";
import type { LoadedPlugin, Requirements } from "../../plugin/plugin.ts";
import { type Log, silentLog } from "../../util/log.ts";
import { SharedBuild } from "./environment-shared.ts";
import { runStep } from "./environment-step.ts";
import { type BuildStep, buildSteps } from "./environment-steps.ts";

/** What a plugin's code is run with. */
export interface Environment {
  /** The interpreter: of the plugin's own virtual environment, or the base one. Empty for JavaScript. */
  python: string;
  /** A `node_modules` folder; empty for none. */
  packages: string;
}

export interface EnvironmentsOptions {
  /** Where environments are kept; no other process may write there. */
  dir: string;
  /** Finds the interpreter of plugins without requirements, and base of virtual environments, once it is needed. */
  python: () => Promise<string>;
  log?: Log;
}

/** Stands in a folder once it is complete, and says for which interpreter. */
const marker = "plugin-runner-complete";

/** Builds what plugins require, once per digest of their requirements, and keeps it. */
export class Environments {
  readonly #dir: string;
  readonly #python: () => Promise<string>;
  readonly #log: Log;
  readonly #ready = new Map<string, Environment>();
  readonly #builds = new Map<string, SharedBuild<Environment>>();
  readonly #closing = new AbortController();
  #swept = false;

  constructor({ dir, python, log = silentLog }: EnvironmentsOptions) {
    this.#dir = dir;
    this.#python = python;
    this.#log = log;
  }

  /**
   * The environment of a plugin; builds it first when it is not there. `report` is told what is being done. A build goes
   * on when those who wait for it leave: the next call will want it. Rejects with the signal's reason when it aborts, and
   * with PLUGIN_INVALID and what the package manager said when the build fails; the next call tries again.
   */
  async prepare(plugin: LoadedPlugin, report: (detail: string) => void, signal: AbortSignal): Promise<Environment> {
    const { requirements } = plugin;
    if (requirements === undefined) return { python: await this.#pythonFor(plugin), packages: "" };
    const ready = this.#ready.get(requirements.digest);
    if (ready !== undefined) return ready;
    signal.throwIfAborted();
    const build = this.#builds.get(requirements.digest) ?? this.#begin(plugin, requirements);
    return build.wait(report, signal);
  }

  /** Ends the builds that are under way, with all that they started. */
  async close(): Promise<void> {
    this.#closing.abort(shuttingDown());
    await Promise.all([...this.#builds.values()].map((build) => build.settled));
  }

  #begin(plugin: LoadedPlugin, requirements: Requirements): SharedBuild<Environment> {
    const build = new SharedBuild((report) => this.#build(plugin, requirements, report, this.#closing.signal));
    this.#builds.set(requirements.digest, build);
    build.settled.then(() => this.#builds.delete(requirements.digest));
    return build;
  }

  async #build(
    plugin: LoadedPlugin,
    requirements: Requirements,
    report: (detail: string) => void,
    signal: AbortSignal,
  ): Promise<Environment> {
    this.#sweep();
    const folder = join(this.#dir, requirements.digest);
    const environment = environmentIn(folder, requirements);
    const python = await this.#pythonFor(plugin);
    if (markerOf(folder) !== python) {
      report("setting up the environment");
      this.#log("info", "building an environment", { plugin: plugin.info.code, manager: requirements.manager });
      const started = performance.now();
      await rm(folder, { recursive: true, force: true });
      await mkdir(folder, { recursive: true, mode: 0o700 });
      try {
        const steps = await buildSteps(requirements, folder, python);
        await this.#run(plugin, steps, report, signal);
        await writeFile(join(folder, marker), python);
      } catch (error) {
        await rm(folder, { recursive: true, force: true });
        throw error;
      }
      const seconds = ((performance.now() - started) / 1000).toFixed(1);
      this.#log("info", "environment built", { plugin: plugin.info.code, manager: requirements.manager, seconds });
    }
    this.#ready.set(requirements.digest, environment);
    return environment;
  }

  async #run(plugin: LoadedPlugin, steps: readonly BuildStep[], report: (detail: string) => void, signal: AbortSignal) {
    for (const step of steps) await runStep(plugin.info.code, step, report, signal);
  }

  async #pythonFor({ binding }: LoadedPlugin): Promise<string> {
    return binding.language === "python" ? this.#python() : "";
  }

  /** Removes, once, what a crash left unfinished. */
  #sweep(): void {
    if (this.#swept) return;
    this.#swept = true;
    for (const name of foldersIn(this.#dir)) {
      const folder = join(this.#dir, name);
      if (markerOf(folder) === undefined && !this.#builds.has(name)) rmSync(folder, { recursive: true, force: true });
    }
  }
}

function environmentIn(folder: string, { manager }: Requirements): Environment {
  if (manager === "npm") return { python: "", packages: join(folder, "node_modules") };
  return { python: join(folder, "bin", "python"), packages: "" };
}

/** The interpreter that a folder was completed for; undefined when it was not completed. */
function markerOf(folder: string): string | undefined {
  try {
    return readFileSync(join(folder, marker), "utf8");
  } catch {
    return undefined;
  }
}

function foldersIn(dir: string): string[] {
  try {
    return readdirSync(dir);
  } catch {
    return []; // nothing was built yet
  }
}
