import { randomUUID } from "node:crypto";
import { type JobSpec, protocolVersion } from "../worker/messages.ts";
import type { JobGiven, JobStart } from "./engine.ts";
import { onTheWire } from "./on-the-wire.ts";

/** What the process of every job is held to. */
export interface JobLimits {
  graceMs: number;
  loadTimeoutMs: number;
  outputLimitBytes: number;
  maxEvents: number;
  resultLimitBytes: number;
}

const lineLimitBytes = 16 * 1024;

/** What the process of a job is told, beside what its engine has to say. */
export function jobSpecOf(
  job: JobStart,
  { params, env }: JobGiven,
  limits: JobLimits,
  own: Pick<JobSpec, "binding" | "work_dir">,
): JobSpec {
  return {
    protocol: protocolVersion,
    job_id: job.jobId,
    action: job.action.name,
    entrypoint: job.action.entrypoint,
    ...onTheWire(params),
    env: { ...env },
    timeout_seconds: job.timeoutMs === undefined ? null : job.timeoutMs / 1000,
    load_timeout_seconds: limits.loadTimeoutMs / 1000,
    grace_seconds: limits.graceMs / 1000,
    memory_mib: job.resources?.memoryMib ?? null,
    output_limit_bytes: limits.outputLimitBytes,
    max_events: limits.maxEvents,
    line_limit_bytes: lineLimitBytes,
    result_limit_bytes: limits.resultLimitBytes,
    scope: randomUUID(),
    ...own,
  };
}
