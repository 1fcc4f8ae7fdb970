import { create } from "@bufbuild/protobuf";
import { JobSchema } from "../../gen/ts/pluginrunner/v1/job_pb.ts";
import type { JobStart } from "../engine/engine.ts";
import type { JobRecord, Unchecked } from "../job/store/job-store.ts";
import type { Catalog } from "../plugin/catalog.ts";
import { checkParams } from "../plugin/check-params.ts";
import type { LoadedAction, LoadedPlugin } from "../plugin/plugin.ts";
import { pluginChanged } from "../plugin/plugin-source.ts";
import type { Snapshots } from "../plugin/snapshots.ts";
import type { Starting } from "./jobs.ts";
import { timeoutMs } from "./request.ts";
import { mergeWarnings, type ParamsInspector, validateInCode } from "./validate-in-code.ts";

interface Sources {
  catalog: Catalog;
  inspector: ParamsInspector;
  snapshots: Snapshots;
}

/**
 * What a job starts with whose code was not loaded, or is no longer: it runs what its record names, or not at all. Code that
 * was not asked for its verdict on the params when the job was submitted is asked now.
 */
export async function restoreJob(
  record: JobRecord,
  starting: Starting,
  sources: Sources,
  signal: AbortSignal,
): Promise<JobStart> {
  const { job, given } = record;
  const plugin = await submittedPlugin(record, sources, signal);
  const action = given.unchecked
    ? await settle(plugin, record, given.unchecked, starting, sources, signal)
    : submittedAction(plugin, record);
  return {
    jobId: job.jobId,
    action,
    given: starting.given,
    timeoutMs: timeoutMs(job.timeout),
    resources: job.resources,
    check: () => sources.snapshots.check(plugin),
  };
}

/** The plugin that a job was submitted with: of a snapshot, or what still is there. */
async function submittedPlugin(
  { job, given: { files } }: JobRecord,
  { snapshots, catalog }: Sources,
  signal: AbortSignal,
): Promise<LoadedPlugin> {
  const kept = files === undefined ? undefined : await snapshots.find(files);
  const plugin = kept ?? (await catalog.load(job.plugin, signal));
  const { info } = plugin;
  if (info.digest === job.pluginDigest) return plugin;
  throw pluginChanged({ info: { ...info, version: job.pluginVersion, digest: job.pluginDigest } });
}

/** Its params were validated, and what its configuration said of it is in the record. */
function submittedAction(plugin: LoadedPlugin, { job }: JobRecord): LoadedAction {
  const { action: name, entrypoint } = job;
  return { plugin, name, entrypoint, validator: undefined, timeoutMs: undefined, resources: undefined };
}

/** Asks the code of a job for what was not known when it was submitted, and writes that down. */
async function settle(
  plugin: LoadedPlugin,
  { job, given: small }: JobRecord,
  { bySchema }: Unchecked,
  starting: Starting,
  { catalog, inspector }: Sources,
  signal: AbortSignal,
): Promise<LoadedAction> {
  await inspector.prepare(plugin, signal, { report: starting.report, line: starting.line, withdraws: true });
  starting.report("checking the params");
  const seen = { action: job.action, entrypoint: job.entrypoint, bySchema };
  const given = await starting.given();
  const action = await catalog.complete(plugin, seen, given.env, signal);
  const known = checkParams(action, given.params);
  const { params, warnings } = await validateInCode(inspector, action, known, given.env, signal);
  const { unchecked: _, ...rest } = small;
  const shown = {
    entrypoint: action.entrypoint,
    params: params.value,
    nonFiniteParams: [...params.nonFinite],
    warnings: create(JobSchema, { warnings: mergeWarnings(job.warnings, warnings) }).warnings,
  };
  await starting.settle(shown, { ...rest, ...given, params: known.params });
  return action;
}
