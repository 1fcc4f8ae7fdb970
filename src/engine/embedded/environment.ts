import { createHash } from "node:crypto";
import { mkdir, rm, statfs, writeFile } from "node:fs/promises";
import { join, resolve } from "node:path";
import { PluginRunnerError, shuttingDown } from "../../errors.ts";
import type { LoadedPlugin, Requirements } from "../../plugin/plugin.ts";
import { pluginChanged } from "../../plugin/plugin-source.ts";
import { areUnchanged } from "../../plugin/requirements.ts";
import { orStorageUnavailable, storageUnavailable } from "../../storage-error.ts";
import { killScope } from "../../util/kill-scope.ts";
import { type Log, silentLog } from "../../util/log.ts";
import { messageOf } from "../../util/message-of.ts";
import { scopeVariable } from "../../worker/worker-child.ts";
import type { BuildWatcher } from "../engine.ts";
import { keepQuota } from "./environment-quota.ts";
import { marker, markerOf, namesIn, noteSize, noteUse } from "./environment-record.ts";
import { type BuildTeller, SharedBuild } from "./environment-shared.ts";
import { runStep } from "./environment-step.ts";
import { buildSteps } from "./environment-steps.ts";
import { FailedBuilds } from "./failed-builds.ts";

/** What a plugin's code is run with. */
export interface Environment {
  /** The interpreter: of the plugin's own virtual environment, or the base one. Empty for JavaScript. */
  python: string;
  /** A `node_modules` directory; empty for none. */
  packages: string;
}

export interface EnvironmentsOptions {
  /** Where environments are kept; no other process may write there. */
  dir: string;
  /** Finds the interpreter of plugins without requirements, and base of virtual environments, once it is needed. */
  python: () => Promise<string>;
  /** How long a build may take, in milliseconds. Default: 30 minutes. */
  buildTimeoutMs?: number;
  /** How much all of them may take; more is removed, but for what is in use. Default: no limit. */
  quotaBytes?: number;
  /** The digests that jobs need which have not ended; undefined where they are not all known. Default: none. */
  neededByJobs?: () => ReadonlySet<string> | undefined;
  log?: Log;
}

const defaultTimeoutMs = 30 * 60_000;
const leastFreeBytes = 512 * 1024;
const noteEachMs = 30_000;

/** Builds what plugins require, once per digest of their requirements, and keeps it. */
export class Environments {
  readonly #dir: string;
  readonly #python: () => Promise<string>;
  readonly #buildTimeoutMs: number;
  readonly #quotaBytes: number;
  readonly #neededByJobs: () => ReadonlySet<string> | undefined;
  readonly #log: Log;
  readonly #ready = new Map<string, Environment>();
  readonly #builds = new Map<string, SharedBuild<Environment>>();
  readonly #failed = new FailedBuilds();
  readonly #closing = new AbortController();
  /** How many processes use an environment. */
  readonly #held = new Map<string, number>();
  /** When a plugin's use of an environment was written down. */
  readonly #noted = new Map<string, number>();
  #tidying: Promise<void> = Promise.resolve();
  #swept: Promise<void> | undefined;

  constructor(options: EnvironmentsOptions) {
    const { dir, python, buildTimeoutMs = defaultTimeoutMs, log = silentLog } = options;
    this.#quotaBytes = options.quotaBytes ?? Number.POSITIVE_INFINITY;
    this.#neededByJobs = options.neededByJobs ?? (() => new Set());
    this.#dir = dir;
    this.#python = python;
    this.#buildTimeoutMs = buildTimeoutMs;
    this.#log = log;
  }

  /** Whether nothing has to be built for a plugin, as far as that is known without a look. */
  isKnown({ requirements }: LoadedPlugin): boolean {
    return requirements === undefined || this.#ready.has(requirements.digest);
  }

  /** Whether nothing has to be built for a plugin. Rejects when its interpreter cannot be found. */
  async isReady(plugin: LoadedPlugin): Promise<boolean> {
    const { requirements } = plugin;
    if (requirements === undefined || this.#ready.has(requirements.digest)) return true;
    return markerOf(this.#folder(requirements)) === (await this.#pythonFor(plugin));
  }

  /** What the build that a plugin waits for does; undefined when there is none. */
  buildOf({ requirements }: LoadedPlugin): string | undefined {
    return requirements && this.#builds.get(requirements.digest)?.detail;
  }

  /**
   * The environment of a plugin; builds it first when it is not there. A build goes on when those who wait for it leave,
   * unless all of them withdraw. Rejects with the signal's reason when it aborts, and with PLUGIN_INVALID and what the
   * package manager said when the build fails; the next calls are told the same for a while, see `FailedBuilds`.
   */
  async prepare(plugin: LoadedPlugin, watcher: BuildWatcher, signal: AbortSignal): Promise<Environment> {
    const { requirements } = plugin;
    if (requirements === undefined) return { python: await this.#pythonFor(plugin), packages: "" };
    const ready = this.#ready.get(requirements.digest);
    if (ready !== undefined) return this.#used(plugin, requirements, ready);
    const python = await this.#pythonFor(plugin);
    signal.throwIfAborted();
    const failed = this.#failed.find(requirements.digest, python);
    if (failed) {
      for (const line of failed.lines) watcher.line?.(line);
      throw failed.error;
    }
    const running = this.#builds.get(requirements.digest);
    if (!running?.unwanted) return (running ?? this.#begin(plugin, requirements, python)).wait(watcher, signal);
    await running.settled;
    return this.prepare(plugin, watcher, signal);
  }

  /** Keeps a plugin's environment until the returned function is called: a process uses it. */
  hold({ requirements }: LoadedPlugin): () => void {
    if (!requirements) return () => {};
    const { digest } = requirements;
    this.#held.set(digest, (this.#held.get(digest) ?? 0) + 1);
    return () => {
      const left = (this.#held.get(digest) ?? 1) - 1;
      if (left > 0) this.#held.set(digest, left);
      else this.#held.delete(digest);
    };
  }

  /** Removes what is too much, see `keepQuota`. Nothing, where it is not known what jobs need. */
  tidy(): Promise<void> {
    if (this.#quotaBytes === Number.POSITIVE_INFINITY) return Promise.resolve();
    const forget = (digest: string) => {
      const isNeeded = this.#neededByJobs()?.has(digest) ?? true;
      if (isNeeded || this.#held.has(digest) || this.#builds.has(digest)) return false;
      this.#ready.delete(digest);
      return true;
    };
    const once = () => keepQuota(this.#dir, this.#quotaBytes, forget, this.#log);
    this.#tidying = this.#tidying.then(once).catch((error: unknown) => {
      this.#log("warn", "environments that are no longer used could not be removed", { error });
    });
    return this.#tidying;
  }

  /** Ends the builds that are under way, with all that they started. */
  async close(): Promise<void> {
    this.#closing.abort(shuttingDown());
    await Promise.all([...this.#builds.values()].map((build) => build.settled));
    await this.#tidying;
  }

  #used({ info }: LoadedPlugin, requirements: Requirements, environment: Environment): Environment {
    const use = `${requirements.digest} ${info.code}`;
    if (performance.now() - (this.#noted.get(use) ?? Number.NEGATIVE_INFINITY) > noteEachMs) {
      this.#noted.set(use, performance.now());
      noteUse(this.#folder(requirements), requirements.manager, info.code);
    }
    return environment;
  }

  #folder({ digest }: Requirements): string {
    return join(this.#dir, digest);
  }

  #begin(plugin: LoadedPlugin, requirements: Requirements, python: string): SharedBuild<Environment> {
    const build = new SharedBuild((tell, unwanted) => this.#build(plugin, requirements, python, tell, unwanted));
    this.#builds.set(requirements.digest, build);
    build.settled.then(() => {
      this.#builds.delete(requirements.digest);
      return this.tidy();
    });
    return build;
  }

  async #build(
    plugin: LoadedPlugin,
    requirements: Requirements,
    python: string,
    tell: BuildTeller,
    unwanted: AbortSignal,
  ): Promise<Environment> {
    this.#swept ??= this.#sweep();
    await this.#swept;
    const folder = this.#folder(requirements);
    if (markerOf(folder) !== python) {
      tell.report("building the environment");
      await this.#buildIn(folder, plugin, requirements, python, tell, unwanted);
    }
    const environment = environmentIn(folder, requirements);
    this.#ready.set(requirements.digest, environment);
    return this.#used(plugin, requirements, environment);
  }

  async #buildIn(
    folder: string,
    plugin: LoadedPlugin,
    requirements: Requirements,
    python: string,
    tell: BuildTeller,
    unwanted: AbortSignal,
  ): Promise<void> {
    const { code } = plugin.info;
    const { root, origin = root } = plugin.binding;
    const { manager, digest } = requirements;
    this.#log("info", "building an environment", { plugin: code, manager });
    const started = performance.now();
    const scope = scopeOf(folder);
    killScope(scopeVariable, scope); // of a service that was killed while it built
    const late = new AbortController();
    const timer = setTimeout(() => late.abort(tooSlow(code, this.#buildTimeoutMs)), this.#buildTimeoutMs).unref();
    const signal = AbortSignal.any([this.#closing.signal, unwanted, late.signal]);
    try {
      await rm(folder, { recursive: true, force: true });
      await mkdir(folder, { recursive: true, mode: 0o700 });
      for (const step of await buildSteps(requirements, folder, python)) {
        await runStep({ plugin: code, scope, root, origin }, step, tell, signal);
      }
      // What was built would stand for a digest that it is not. A snapshot does not change.
      if (plugin.kept === undefined && !areUnchanged(requirements)) throw pluginChanged(plugin);
      await noteSize(folder);
      await writeFile(join(folder, marker), python);
    } catch (thrown) {
      const error = (await isFull(this.#dir)) ? diskFull(code, thrown) : orStorageUnavailable(thrown);
      await rm(folder, { recursive: true, force: true });
      const { lines } = tell;
      const isFinal = !isChange(error) && !this.#closing.signal.aborted && !unwanted.aborted;
      if (isFinal) this.#failed.remember(digest, python, { error, lines });
      throw error;
    } finally {
      clearTimeout(timer);
      killScope(scopeVariable, scope); // what a package left running when it was installed
    }
    const seconds = ((performance.now() - started) / 1000).toFixed(1);
    this.#log("info", "environment built", { plugin: code, manager, seconds });
  }

  async #pythonFor({ binding }: LoadedPlugin): Promise<string> {
    return binding.language === "python" ? this.#python() : "";
  }

  /** Removes what a crash left unfinished. No build begins before that. */
  async #sweep(): Promise<void> {
    for (const name of namesIn(this.#dir)) {
      const folder = join(this.#dir, name);
      if (markerOf(folder) !== undefined) continue;
      await rm(folder, { recursive: true, force: true }).catch((error: unknown) => {
        this.#log("warn", "an unfinished environment could not be removed", { dir: folder, error });
      });
    }
  }
}

/** A UUID of the directory: the same for every service that builds there. */
function scopeOf(folder: string): string {
  const hash = createHash("sha256").update(resolve(folder)).digest("hex");
  return hash.replace(/^(.{8})(.{4})(.{4})(.{4})(.{12}).*/, "$1-$2-$3-$4-$5");
}

/** Not every program of a build says what it failed of: `venv` keeps the words of `ensurepip` to itself. */
async function isFull(dir: string): Promise<boolean> {
  const { bavail, bsize } = await statfs(dir);
  return bavail * bsize < leastFreeBytes;
}

function diskFull(plugin: string, cause: unknown): PluginRunnerError {
  const message = `The environment of plugin ${plugin} cannot be built: the disk of the service's data is full.\n${messageOf(cause)}`;
  return storageUnavailable("ENOSPC", message, { metadata: { plugin }, cause });
}

function isChange(error: unknown): boolean {
  return error instanceof PluginRunnerError && error.reason === "PLUGIN_CHANGED";
}

function tooSlow(plugin: string, ms: number): PluginRunnerError {
  const seconds = String(ms / 1000);
  const message = `The environment of plugin ${plugin} cannot be built: it took longer than ${seconds} s (--build-timeout).`;
  return new PluginRunnerError("PLUGIN_INVALID", message, { metadata: { plugin, timeout_seconds: seconds } });
}

function environmentIn(folder: string, { manager }: Requirements): Environment {
  if (manager === "npm") return { python: "", packages: join(folder, "node_modules") };
  return { python: join(folder, "bin", "python"), packages: "" };
}
