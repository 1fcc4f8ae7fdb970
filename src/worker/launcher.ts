import { randomUUID } from "node:crypto";
import { existsSync, mkdirSync, readdirSync, rmSync, statSync } from "node:fs";
import { rm } from "node:fs/promises";
import { delimiter, join, resolve } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { pathToFileURL } from "node:url";
import { directoryGone, orStorageUnavailable } from "../storage-error.ts";
import type { Log } from "../util/log.ts";
import { limitData, limitNode } from "../util/memory-limit.ts";
import { packageRoot } from "../util/package-root.ts";
import { killByEnvironment } from "../util/process.ts";
import { compiledCodeVariables, forgetCompiledCode } from "./compiled-code.ts";
import type { Binding, Language } from "./messages.ts";
import type { WorkerCommand } from "./worker-child.ts";
import { WorkerProcess } from "./worker-process.ts";

/** A worker that was just given away leaves the processor to its first request before the next one is started. */
const refillDelayMs = 500;

/** The folder of the workers' scratch folders. */
const scratch = "work";

/** Set for every worker to the folder of its service. */
const ownerVariable = "PLUGIN_RUNNER_OWNER";

/** The file endings of this program: `.ts` in a checkout, `.js` once built. */
const ending = import.meta.filename.slice(import.meta.filename.lastIndexOf("."));

export interface LauncherOptions {
  /** Where the runs of one worker keep what they make known; empty: with the run. */
  placeArtifacts(): string;
  /** A folder for the workers' scratch folders and Python's compiled files; no other process may write there. */
  dir: string;
  /** What plugin code starts with: see `workerEnvironment`. */
  env: Readonly<Record<string, string>>;
  /** The most memory of a worker, in MiB; undefined for no limit. For all but the JavaScript heap it needs `prlimit`. */
  memoryMib: number | undefined;
  /** How long a worker has to end in its own way, in milliseconds. */
  graceMs: number;
  /** How long loading a plugin's code may take, in milliseconds. */
  loadTimeoutMs: number;
  log: Log;
}

/** What a process is started with beside the environment that all plugins see. */
export interface StartVariables {
  env: Readonly<Record<string, string>>;
  /** The plugin's directory. */
  root: string;
  /** The most memory that its runs ask for, in MiB. A worker of Python is told with each run. */
  memoryMib?: number | undefined;
}

/** Starts the processes that run plugins, and keeps a started, unbound worker of each language that is in use. */
export class Launcher {
  readonly #options: LauncherOptions;
  readonly #reserve = new Map<Language, { worker: WorkerProcess; python: string }>();
  readonly #closing = new AbortController();

  constructor(options: LauncherOptions) {
    this.#options = options;
    this.#removeLeftovers();
  }

  /** Starts the unbound worker that the next `take` with the same arguments will get, unless there is one. */
  warm(language: Language, python: string): void {
    if (this.#closing.signal.aborted || this.#reserve.get(language)?.worker.alive) return;
    this.#reserve.set(language, { worker: this.#start(language, python), python });
  }

  /** An unbound worker that is ready. `python` is the interpreter: a real path, since shims are slow. */
  async take(language: Language, python: string): Promise<WorkerProcess> {
    const worker = this.#fromReserve(language, python) ?? this.#start(language, python);
    await worker.ready;
    return worker;
  }

  /** An unbound worker that is ready, and was started with these variables. */
  async start(language: Language, python: string, variables: StartVariables): Promise<WorkerProcess> {
    const worker = this.#start(language, python, variables);
    await worker.ready;
    return worker;
  }

  /** Binds a worker to a plugin, with a scratch folder that lives as long as the worker. */
  bind(worker: WorkerProcess, binding: Binding): void {
    const workDir = this.#makeWorkDir(binding);
    worker.exited
      .then(() => rm(workDir, { recursive: true, force: true }))
      .catch((error: unknown) => this.#options.log("warn", "a worker's folder could not be removed", { error }));
    const { loadTimeoutMs } = this.#options;
    worker.bind(binding, workDir, { artifactsDir: this.#options.placeArtifacts(), loadSeconds: loadTimeoutMs / 1000 });
  }

  /** The command line and environment of a process that runs the entry file of a language: "worker" or "job". */
  command(
    language: Language,
    entry: "worker" | "job",
    python: string,
    variables: StartVariables = { env: {}, root: "" },
  ): WorkerCommand {
    const env = { ...this.#options.env, ...variables.env };
    if (language === "javascript") {
      const file = join(import.meta.dirname, "..", "runtime", `${entry}${ending}`);
      const hooks = pathToFileURL(join(import.meta.dirname, "..", "runtime", `thread-hooks${ending}`)).href;
      return { language, file: process.execPath, args: entry === "worker" ? [`--import=${hooks}`, file] : [file], env };
    }
    return {
      language,
      file: python,
      args: ["-m", `plugin_runner.${entry}`],
      env: { ...env, PYTHONPATH: pythonPath(variables), ...compiledCodeVariables(this.compiled) },
    };
  }

  /** Ends the workers that were not taken. */
  async close(): Promise<void> {
    this.#closing.abort();
    const workers = [...this.#reserve.values()].map(({ worker }) => worker);
    for (const worker of workers) worker.kill();
    await Promise.all(workers.map((worker) => worker.exited));
  }

  /** Below it stands the compiled code of Python files, by their paths. */
  get compiled(): string {
    return join(this.#options.dir, "pycache");
  }

  /** Also makes sure that Python finds no stale code. Throws STORAGE_UNAVAILABLE where the disk does not take it. */
  #makeWorkDir(binding: Binding): string {
    const { dir } = this.#options;
    const all = join(dir, scratch);
    const workDir = join(all, randomUUID());
    try {
      // Not those above it: where the directory of the service is gone, nothing makes another one in its place.
      if (!existsSync(all)) mkdirSync(all, { mode: 0o700 });
      mkdirSync(workDir, { mode: 0o700 });
      if (binding.language === "python") forgetCompiledCode(this.compiled, binding);
      return workDir;
    } catch (error) {
      throw directoryGone(dir, error) ?? orStorageUnavailable(error);
    }
  }

  #fromReserve(language: Language, python: string): WorkerProcess | undefined {
    const reserved = this.#reserve.get(language);
    if (reserved?.python !== python) return undefined;
    this.#reserve.delete(language);
    delay(refillDelayMs, undefined, { signal: this.#closing.signal, ref: false })
      .then(() => this.warm(language, python))
      .catch((error: unknown) => {
        if (this.#closing.signal.aborted) return;
        this.#options.log("error", "a worker could not be started in reserve", { error });
      });
    return reserved.worker.alive ? reserved.worker : undefined;
  }

  /** A service that was killed may have left a worker in an endless loop, and always leaves scratch folders. */
  #removeLeftovers(): void {
    const { dir, log } = this.#options;
    killByEnvironment(ownerVariable, dir);
    const all = join(dir, scratch);
    try {
      // The directory itself may be a link to another disk, and stays.
      if (statSync(all, { throwIfNoEntry: false })?.isDirectory()) {
        for (const name of readdirSync(all)) rmSync(join(all, name), { recursive: true, force: true });
      } else rmSync(all, { force: true });
    } catch (error) {
      log("warn", "the folders of earlier workers could not be removed", { error });
    }
  }

  #start(language: Language, python: string, variables?: StartVariables): WorkerProcess {
    const { dir, graceMs, log, memoryMib } = this.#options;
    const worker = this.command(language, "worker", python, variables);
    const asked = language === "javascript" ? variables?.memoryMib : undefined;
    const most = asked === undefined ? memoryMib : Math.min(asked, memoryMib ?? asked);
    const command = { ...worker, env: { ...worker.env, [ownerVariable]: dir } };
    try {
      return new WorkerProcess(most === undefined ? command : limited(command, most), { cwd: dir, graceMs, log });
    } catch (error) {
      throw directoryGone(dir, error) ?? error; // Node throws where a file stands in the directory's place
    }
  }
}

/** This library first; what the plugin names is found from the plugin's own directory, as its code runs there. */
function pythonPath({ env, root }: StartVariables): string {
  const given = (env.PYTHONPATH ?? "").split(delimiter).filter((path) => path !== "");
  return [join(packageRoot, "python"), ...given.map((path) => resolve(root, path))].join(delimiter);
}

function limited(command: WorkerCommand, memoryMib: number): WorkerCommand {
  const { language, args } = command;
  return { ...command, ...(language === "javascript" ? limitNode(args, memoryMib) : limitData(command, memoryMib)) };
}
