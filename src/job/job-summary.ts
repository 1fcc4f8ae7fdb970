import type { Job } from "../../gen/ts/pluginrunner/v1/job_pb.ts";
import type { Given, JobRecord } from "./store/job-store.ts";

/** What is known of what a job was given, once it has ended or where it cannot be read. */
export const nothingGiven: Given = { params: { value: {}, nonFinite: [] }, env: {} };

/** A job without what may be large: its params, and its result or what can be carried of it. */
export function summary(job: Job): Job {
  const { params: _params, result: _result, ...rest } = job;
  return { ...rest, nonFiniteParams: [], nonFiniteResult: [], ...(job.error && { error: withoutPartial(job.error) }) };
}

function withoutPartial(error: NonNullable<Job["error"]>): NonNullable<Job["error"]> {
  const { partialResult: _, ...rest } = error;
  return { ...rest, nonFinite: [] };
}

/** A record without params and variables, which only the start of the job needs: they stay in the store. */
export function withoutParams(record: JobRecord): JobRecord {
  const { params: _, ...job } = record.job;
  return {
    ...record,
    job: { ...job, nonFiniteParams: [] },
    given: { ...record.given, ...nothingGiven },
  };
}
