import { PluginRunnerError } from "../../errors.ts";
import { decisiveLines } from "../build-failure.ts";
import type { RayJob, RayJobStatus } from "./dashboard-answers.ts";
import type { DashboardError } from "./dashboard-error.ts";

const markLength = 8;

/**
 * The submission id of a job. It tells content apart, since services that do not know of each other may share a cluster
 * and an id; what two of them submit alike is one job.
 */
export function rayIdOf(jobId: string, fingerprint: string): string {
  return `${jobId}-${fingerprint.slice(0, markLength)}`;
}

/** The id that a submission id was made of. */
export function jobIdOf(rayId: string): string {
  return rayId.slice(0, -1 - markLength);
}

/** What the metadata of every job of this service has. */
export function ownMetadata(rayId: string) {
  return { job_id: jobIdOf(rayId), submitted_by: "plugin-runner" } as const;
}

/** Whether a job was submitted as one of this service's: a cluster may have others of any id. */
export function isOurs({ submissionId, metadata }: RayJob): boolean {
  const { job_id, submitted_by } = ownMetadata(submissionId);
  return metadata.job_id === job_id && metadata.submitted_by === submitted_by;
}

/** Whether it is what Ray made of a job whose record was deleted right after its end, see `deleteRecord`. */
export function isGhost(job: RayJob): boolean {
  return job.entrypoint === "Entrypoint not found." && hasEnded(job);
}

/** What the files of a job are named by: those of an earlier one of the same id have another name. */
export function filesOf({ submissionId, metadata }: RayJob): string {
  return metadata.files ?? submissionId;
}

/** In a job's metadata: no process carries it, and none may. */
export const givenUp = { plugin_runner_given_up: "true" } as const;

export function isGivenUp({ metadata }: RayJob): boolean {
  return metadata.plugin_runner_given_up === givenUp.plugin_runner_given_up;
}

const ended: Readonly<Record<RayJobStatus, boolean>> = {
  PENDING: false,
  RUNNING: false,
  SUCCEEDED: true,
  FAILED: true,
  STOPPED: true,
};

/** Whether a job's process is gone, or will never be. */
export function hasEnded({ status }: RayJob): boolean {
  return ended[status];
}

/** What a job that has not started waits for. */
export function waitingFor({ message }: RayJob): string {
  const resources = message.includes("waiting for resources");
  const environment = message.includes("runtime environment");
  if (resources && environment) return "waiting for resources, or for its environment to be set up";
  if (resources) return "waiting for resources";
  return environment ? "setting up the environment" : "starting";
}

const shownCharacters = 2000;

/** Ray's words for how a job failed that never ran the plugin. */
const notStarted: Readonly<Record<string, string>> = {
  JOB_SUPERVISOR_ACTOR_START_TIMEOUT: "Ray had no room for the job in time: wait, or ask for fewer resources.",
  JOB_SUPERVISOR_ACTOR_START_FAILURE: "Ray could not start the job's process.",
  JOB_SUPERVISOR_ACTOR_UNSCHEDULABLE: "Ray cannot place the job: check that its nodes have what it asks for.",
};

/** What was known of a job when it was followed no more. */
export interface JobEnd {
  /** Undefined when the cluster does not know it. */
  job: RayJob | undefined;
  /** Why its events could not be read, where they could not. */
  unread?: DashboardError;
}

/** Why a job ended whose process left no word that could be read: `job` as Ray knows it, undefined when it does not. */
export function endOf(jobId: string, { job, unread }: JobEnd): PluginRunnerError {
  if (!job) {
    const message =
      "The Ray cluster does not know the job any more: it was started anew, or the job was deleted there.";
    return new PluginRunnerError("WORKER_LOST", message, { metadata: { job_id: jobId } });
  }
  const { errorType, exitCode, message, status } = job;
  const shown = message.slice(-shownCharacters).trim();
  const metadata = { ray_status: status, ...(errorType !== "" && { ray_error_type: errorType }) };
  if (errorType === "RUNTIME_ENV_SETUP_FAILURE") {
    const plugin = job.metadata.plugin ?? "";
    const cause = decisiveLines(message.split("\n"));
    const because = cause.length === 0 ? "" : `: ${cause.join("; ")}`;
    const text = `The environment of plugin ${plugin} cannot be set up on Ray${because}.\n${shown}`;
    const details = { ...metadata, plugin, output: shown, cause: cause.join("\n") };
    return new PluginRunnerError("PLUGIN_INVALID", text, { metadata: details });
  }
  const reason = notStarted[errorType];
  if (reason !== undefined || isGivenUp(job)) {
    const text = reason ?? "The job was given up before it started.";
    return new PluginRunnerError("ENGINE_UNAVAILABLE", text, { metadata: { ...metadata, ray_message: shown } });
  }
  if (unread !== undefined) {
    const text = `The job ${words[status]} on Ray, but what it said and its result could not be read: ${unread.fileIsGone ? "they are gone with its node, or were removed there." : unread.message}`;
    return new PluginRunnerError("WORKER_LOST", text, {
      metadata: { ...metadata, ...exitMetadata(exitCode), events: "unread", stderr_tail: shown },
    });
  }
  return new PluginRunnerError("WORKER_LOST", `The job's process ${howItEnded(job)} before the action returned.`, {
    metadata: { ...metadata, ...exitMetadata(exitCode), stderr_tail: shown },
  });
}

const words: Readonly<Record<RayJobStatus, string>> = {
  PENDING: "waits",
  RUNNING: "runs",
  SUCCEEDED: "succeeded",
  FAILED: "failed",
  STOPPED: "was stopped",
};

function howItEnded({ exitCode, errorType, status }: RayJob): string {
  const signal = signalOf(exitCode);
  if (signal !== undefined) return `was ended by ${signal}`;
  if (exitCode !== undefined && exitCode !== 0) return `exited with code ${exitCode}`;
  if (errorType === "JOB_SUPERVISOR_ACTOR_DIED") return "was lost with its node, or ended from outside,";
  return status === "STOPPED" ? "was stopped on the cluster" : "is gone";
}

function exitMetadata(exitCode: number | undefined): Record<string, string> {
  const signal = signalOf(exitCode);
  if (signal !== undefined) return { signal };
  return exitCode === undefined ? {} : { exit_code: String(exitCode) };
}

const signals: Readonly<Record<number, string>> = { 6: "SIGABRT", 9: "SIGKILL", 11: "SIGSEGV", 15: "SIGTERM" };

/** A shell adds 128 to a signal's number, Python negates it. */
function signalOf(exitCode: number | undefined): string | undefined {
  if (exitCode === undefined) return undefined;
  const number = exitCode < 0 ? -exitCode : exitCode > 128 ? exitCode - 128 : 0;
  return number === 0 ? undefined : (signals[number] ?? `signal ${number}`);
}
