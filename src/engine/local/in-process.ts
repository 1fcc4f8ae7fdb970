import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { endedWithServer, PluginRunnerError, shuttingDown } from "../../errors.ts";
import type { LoadedAction } from "../../plugin/plugin.ts";
import { unchangedTree } from "../../plugin/plugin-source.ts";
import type { Trees } from "../../plugin/trees.ts";
import { CodeRun, outsideOfRun } from "../../runtime/code-run.ts";
import { type ActionCode, loadAction } from "../../runtime/load-action.ts";
import { notLoaded } from "../../runtime/load-limit.ts";
import { runAction } from "../../runtime/run-action.ts";
import { RunDirectory } from "../../runtime/run-directory.ts";
import { abortable } from "../../util/abortable.ts";
import type { Log } from "../../util/log.ts";
import { withNumbers } from "../../util/non-finite.ts";
import type { Binding, EventRecord, WorkerResult } from "../../worker/messages.ts";
import type { RunArtifacts } from "../../worker/run-artifacts.ts";
import type { Environments } from "../embedded/environment.ts";
import type { Task, TaskPool } from "../engine.ts";
import { CapturedOutput, captureOutput } from "./captured-output.ts";
import { guardService } from "./guard-service.ts";

export interface InProcessOptions {
  dir: string;
  artifacts: RunArtifacts;
  environments: Environments;
  trees: Trees;
  passedEnv: Readonly<Record<string, string>>;
  /** How long loading a plugin's code may take, in milliseconds. */
  loadTimeoutMs: number;
  maxRunning: number;
  log: Log;
}

/** A run that is under way. */
interface Running {
  /** Aborts with the caller's, and when this process is to end. */
  readonly signal: AbortSignal;
  /** Whether the action's own code was called. */
  begun: boolean;
  /** Tells the action to stop, and its caller at once, since the action may not heed it. */
  end(error: PluginRunnerError): void;
}

/**
 * Runs JavaScript in this process: the quickest way. What a run throws or calls to end the process ends that run alone; a
 * plugin that does not heed its signal cannot be ended, and an endless loop, memory without end or a crash of native code
 * take the service with it.
 */
export class InProcess implements TaskPool {
  readonly #workDir: string;
  readonly #artifacts: string;
  readonly #passedEnv: Readonly<Record<string, string>>;
  readonly #environments: Environments;
  readonly #trees: Trees;
  readonly #loadTimeoutMs: number;
  readonly #maxRunning: number;
  readonly #loaded = new WeakMap<LoadedAction, ActionCode>();
  readonly #release = captureOutput();
  readonly #running = new Set<Running>();
  /** Resolves once nothing is under way while this closes. */
  readonly #idle = Promise.withResolvers<void>();
  #closing = false;
  #runs = 0;

  constructor(options: InProcessOptions) {
    this.#trees = options.trees;
    this.#workDir = join(options.dir, "work", "in-process");
    this.#artifacts = options.artifacts.place();
    this.#passedEnv = options.passedEnv;
    this.#environments = options.environments;
    this.#loadTimeoutMs = options.loadTimeoutMs;
    this.#maxRunning = options.maxRunning;
    guardService(options.log);
    mkdirSync(this.#workDir, { recursive: true, mode: 0o700 });
  }

  /** Settles as the action does: one that does not heed the signal cannot be left behind unseen. */
  async run(task: Task, signal: AbortSignal): Promise<WorkerResult> {
    signal.throwIfAborted();
    if (this.#closing) throw shuttingDown();
    if (this.#running.size >= this.#maxRunning) throw overloaded(this.#maxRunning);
    const { promise, resolve, reject } = Promise.withResolvers<WorkerResult>();
    const controller = new AbortController();
    const end = (error: unknown) => {
      controller.abort(error);
      reject(error);
    };
    const run = { signal: controller.signal, begun: false, end };
    const abort = () => controller.abort(signal.reason);
    signal.addEventListener("abort", abort, { once: true });
    this.#running.add(run);
    this.#run(task, run).then(resolve, reject);
    try {
      return await promise;
    } finally {
      signal.removeEventListener("abort", abort);
      this.#running.delete(run);
      if (this.#closing && this.#running.size === 0) this.#idle.resolve();
    }
  }

  async close(signal: AbortSignal): Promise<void> {
    this.#closing = true;
    if (this.#running.size > 0) await abortable(this.#idle.promise, signal).catch(() => {});
    for (const run of this.#running) run.end(run.begun ? endedWithServer() : shuttingDown());
    this.#release();
  }

  async #run({ action, params, env, jobId, output }: Task, own: Running): Promise<WorkerResult> {
    const { signal } = own;
    const run = new CodeRun(action.name, output && new CapturedOutput(output), action.plugin.binding.code);
    const code = this.#loaded.get(action) ?? (await this.#load(action, run, signal));
    const directory = this.#newDirectory();
    const call = {
      action: action.name,
      params: withNumbers(params.value, params.nonFinite),
      env: { ...this.#passedEnv, ...action.plugin.binding.env, ...env },
      jobId,
      directory,
      sink: (record: EventRecord) => write(record, output),
      signal,
    };
    try {
      own.begun = true;
      const { value, nonFinite } = await run.during(() => runAction(code, call));
      return nonFinite.length === 0 ? { value } : { value, non_finite: nonFinite };
    } finally {
      run.end();
      if (directory.made) await directory.remove();
    }
  }

  #newDirectory(): RunDirectory {
    const number = ++this.#runs;
    return new RunDirectory(`${this.#workDir}/${number}`, this.#artifacts === "" ? "" : `${this.#artifacts}-${number}`);
  }

  async #load(action: LoadedAction, run: CodeRun, signal: AbortSignal): Promise<ActionCode> {
    const { packages } = await this.#environments.prepare(action.plugin, {}, signal);
    this.#environments.hold(action.plugin); // loaded code stays as long as this process
    await unchangedTree(action.plugin, this.#trees);
    const binding = { ...action.plugin.binding, packages };
    try {
      const code = await run.during(() => this.#inTime(binding, action.entrypoint));
      this.#loaded.set(action, code);
      return code;
    } finally {
      run.end();
    }
  }

  /** An import cannot be ended: it goes on, and the next call waits for the same one. */
  async #inTime(binding: Binding, entrypoint: string): Promise<ActionCode> {
    const { promise: late, reject } = Promise.withResolvers<never>();
    const seconds = this.#loadTimeoutMs / 1000;
    const timer = setTimeout(() => reject(notLoaded(binding, [entrypoint], seconds)), this.#loadTimeoutMs);
    try {
      return await Promise.race([loadAction(binding, entrypoint), late]);
    } finally {
      clearTimeout(timer);
    }
  }
}

/** A run has no record: only what its logger writes has a reader. */
function write(record: EventRecord, output: Task["output"]): void {
  if (record.type !== "log" || output === undefined) return;
  const { time, source, level, message, fields } = record;
  const line = { timeMs: time * 1000, source, level, message };
  outsideOfRun(() => output(Object.keys(fields).length === 0 ? line : { ...line, fields }));
}

function overloaded(limit: number): PluginRunnerError {
  return new PluginRunnerError("OVERLOADED", `${limit} runs are under way already; try again later.`, {
    metadata: { limit: "max_queued_runs", value: String(limit) },
    retryAfterMs: 1000,
  });
}
