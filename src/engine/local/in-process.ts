import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { PluginRunnerError } from "../../errors.ts";
import type { LoadedAction } from "../../plugin/plugin.ts";
import { unchangedTree } from "../../plugin/plugin-source.ts";
import type { Trees } from "../../plugin/trees.ts";
import { type ActionCode, loadAction } from "../../runtime/load-action.ts";
import { runAction } from "../../runtime/run-action.ts";
import { RunDirectory } from "../../runtime/run-directory.ts";
import { withNumbers } from "../../util/non-finite.ts";
import type { EventRecord, WorkerResult } from "../../worker/messages.ts";
import type { RunArtifacts } from "../../worker/run-artifacts.ts";
import type { Environments } from "../embedded/environment.ts";
import type { Task, TaskPool } from "../engine.ts";
import { CapturedOutput, captureOutput, outsideOfRun } from "./captured-output.ts";

export interface InProcessOptions {
  dir: string;
  artifacts: RunArtifacts;
  environments: Environments;
  trees: Trees;
  passedEnv: Readonly<Record<string, string>>;
  maxRunning: number;
}

/**
 * Runs JavaScript in this process: the quickest way, and one in which a plugin can take the service down with it. A
 * plugin that does not heed its signal cannot be ended.
 */
export class InProcess implements TaskPool {
  readonly #workDir: string;
  readonly #artifacts: string;
  readonly #passedEnv: Readonly<Record<string, string>>;
  readonly #environments: Environments;
  readonly #trees: Trees;
  readonly #maxRunning: number;
  readonly #loaded = new WeakMap<LoadedAction, ActionCode>();
  readonly #release = captureOutput();
  #running = 0;
  #runs = 0;

  constructor(options: InProcessOptions) {
    this.#trees = options.trees;
    this.#workDir = join(options.dir, "work", "in-process");
    this.#artifacts = options.artifacts.place();
    this.#passedEnv = options.passedEnv;
    this.#environments = options.environments;
    this.#maxRunning = options.maxRunning;
    mkdirSync(this.#workDir, { recursive: true, mode: 0o700 });
  }

  /** Settles as the action does: one that does not heed the signal cannot be left behind unseen. */
  async run(task: Task, signal: AbortSignal): Promise<WorkerResult> {
    signal.throwIfAborted();
    if (this.#running >= this.#maxRunning) throw overloaded(this.#maxRunning);
    this.#running++;
    try {
      return await this.#run(task, signal);
    } finally {
      this.#running--;
    }
  }

  async close(): Promise<void> {
    this.#release();
  }

  async #run({ action, params, env, jobId, output }: Task, signal: AbortSignal): Promise<WorkerResult> {
    const captured = output && new CapturedOutput(output);
    const load = () => this.#load(action, signal);
    const code = this.#loaded.get(action) ?? (await (captured ? captured.during(load) : load()));
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
      const run = () => runAction(code, call);
      const { value, nonFinite } = await (captured ? captured.during(run) : run());
      return nonFinite.length === 0 ? { value } : { value, non_finite: nonFinite };
    } finally {
      captured?.flush();
      if (directory.made) await directory.remove();
    }
  }

  #newDirectory(): RunDirectory {
    const number = ++this.#runs;
    return new RunDirectory(`${this.#workDir}/${number}`, this.#artifacts === "" ? "" : `${this.#artifacts}-${number}`);
  }

  async #load(action: LoadedAction, signal: AbortSignal): Promise<ActionCode> {
    const { packages } = await this.#environments.prepare(action.plugin, {}, signal);
    await unchangedTree(action.plugin, this.#trees);
    const code = await loadAction({ ...action.plugin.binding, packages }, action.entrypoint);
    this.#loaded.set(action, code);
    return code;
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
