import { randomUUID } from "node:crypto";
import { existsSync } from "node:fs";
import { join } from "node:path";
import type { LoadedPlugin } from "../../plugin/plugin.ts";
import { jsonText } from "../../util/json-text.ts";
import type { JobSpec } from "../../worker/messages.ts";
import { startVariables } from "../../worker/start-variables.ts";
import type { BuildWatcher, JobGiven, JobStart } from "../engine.ts";
import { type JobLimits, jobSpecOf } from "../job-spec.ts";
import type { Submission } from "./dashboard.ts";
import { entryCommand } from "./entry-command.ts";
import { ownMetadata } from "./job-states.ts";
import { filesUnder } from "./package-files.ts";
import type { Packages } from "./packages.ts";
import { runtimeEnvOf } from "./runtime-env.ts";

export interface RayJobLimits extends JobLimits {
  /** Variables of this service that plugins may see. Default: none. */
  env?: Readonly<Record<string, string>>;
}

export interface SubmissionOptions extends RayJobLimits {
  packages: Packages;
  /** Builds what a JavaScript plugin requires, and returns its `node_modules` folder; empty for none. */
  nodePackages: NodePackages;
  /** The interpreter on the nodes: see `entryCommand`. */
  python?: string | undefined;
}

/** What brings a JavaScript plugin's packages to the cluster. */
export interface NodeSources {
  packages: Pick<Packages, "files">;
  nodePackages: NodePackages;
}

export type NodePackages = (plugin: LoadedPlugin, watcher: BuildWatcher, signal: AbortSignal) => Promise<string>;

/** What a supervisor needs after the grace: it reads the rest of the output and ends what is left. */
const afterGraceMs = 3000;
/** Tells the files of a job from those of an earlier one that had its id and content. */
const markLength = 8;

/**
 * Brings all that a job needs to the cluster, and says how to start it. Its params and variables travel in a package of
 * their own, so that the job's record, which every user of the cluster sees, has none of them.
 * @throws PLUGIN_INVALID when the plugin cannot be brought there
 */
export async function prepareSubmission(
  rayId: string,
  job: JobStart,
  options: SubmissionOptions,
  report: (detail: string) => void,
  signal: AbortSignal,
): Promise<Submission> {
  const { packages, graceMs } = options;
  const { plugin } = job.action;
  const { resources } = job;
  const environment = runtimeEnvOf(plugin);
  const files = `${rayId}-${randomUUID().slice(0, markLength)}`;
  const spec = jsonText(specOf(job, await job.given(), options));
  const [code, library, node, own] = await Promise.all([
    packages.plugin(plugin, signal),
    packages.library(signal),
    nodeModules(plugin, options, { report, line: job.buildLine, withdraws: true }, signal),
    packages.text(`plugin_runner_job_${files}.json`, spec, signal),
  ]);
  return {
    submissionId: rayId,
    entrypoint: entryCommand(options.python, environment, `plugin_runner.ray_job ${files}`),
    runtimeEnv: {
      ...environment,
      ...(code !== undefined && { working_dir: code }),
      py_modules: [library, own, ...node],
      // Ray kills what a job started so many seconds after it told it to stop.
      env_vars: { RAY_JOB_STOP_WAIT_TIME_S: String(Math.ceil((graceMs + afterGraceMs) / 1000)) },
    },
    metadata: {
      ...ownMetadata(rayId),
      files,
      plugin: plugin.info.code,
      plugin_version: plugin.info.version,
      action: job.action.name,
    },
    cpus: resources?.cpus,
    gpus: resources?.gpus,
    memoryBytes: resources?.memoryMib === undefined ? undefined : resources.memoryMib * 1024 ** 2,
    resources: resources?.custom,
  };
}

/** Where things are on the cluster, the process finds out there. */
function specOf(job: JobStart, given: JobGiven, limits: RayJobLimits): JobSpec {
  const { binding } = job.action.plugin;
  const env = { ...limits.env, ...binding.env };
  const { root, origin = root } = binding;
  const own = { ...binding, root: "", origin, packages: "", env };
  const spec = jobSpecOf(job, given, limits, { binding: own, work_dir: "" });
  return { ...spec, echo_output: true, start_env: startVariables({ ...env, ...given.env }) };
}

/** The packages of a JavaScript plugin: those that were built from its requirements, or those that stand beside it. */
export async function nodeModules(
  plugin: LoadedPlugin,
  { packages, nodePackages }: NodeSources,
  watcher: BuildWatcher,
  signal: AbortSignal,
): Promise<string[]> {
  const { binding, requirements, info } = plugin;
  if (binding.language !== "javascript") return [];
  const built = requirements ? await nodePackages(plugin, watcher, signal) : join(binding.root, "node_modules");
  if (built === "" || !existsSync(built)) return [];
  const key = requirements ? requirements.digest : binding.digest;
  const files = async () => filesUnder(built, "node_modules");
  return [await packages.files(key, `The node_modules of plugin ${info.code}`, files, signal)];
}
