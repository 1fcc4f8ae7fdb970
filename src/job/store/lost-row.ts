import { create, fromBinary } from "@bufbuild/protobuf";
import { timestampFromMs, timestampMs } from "@bufbuild/protobuf/wkt";
import { type Job, JobErrorSchema, JobSchema, JobState } from "../../../gen/ts/pluginrunner/v1/job_pb.ts";
import { unfinishedStates } from "../job-state.ts";
import { dataLoss } from "./data-loss.ts";
import { blob, number, orElse, positionLength, type Row, summaryIn, text } from "./job-row.ts";
import { sealLength } from "./sealed.ts";

/**
 * When a job ended, in milliseconds since 1970, for whoever removes old jobs; undefined where that is not known for certain.
 * The summary has a checksum and goes before the columns, which count without it where they go together.
 */
export function endOf(row: Row): number | undefined {
  const kept = orElse(() => summaryIn(row).job, undefined);
  if (kept?.endTime) return timestampMs(kept.endTime);
  const [created, ended] = [orElse(() => number(row, "create_time"), 0), orElse(() => number(row, "end_time"), 0)];
  return created > 0 && created <= ended ? ended : undefined;
}

/** The id that a summary says, whatever its checksum is; undefined where it says none. */
export function idInSummary(row: Row): string | undefined {
  const read = () => fromBinary(JobSchema, blob(row, "summary").subarray(0, -positionLength - sealLength)).jobId;
  return orElse(read, "") || undefined;
}

/** What is shown of a job whose record cannot be read: what its columns tell. */
export function lostJob(row: Row, what: string): Job {
  const jobId = orElse(() => text(row, "job_id"), "");
  const found = orElse(() => number(row, "state"), 0);
  const state = states.find((one) => one === found) ?? JobState.FAILED;
  const { reason, message, metadata } = dataLoss(jobId, what);
  const time = (name: string) => orElse(() => timestampFromMs(number(row, name)), undefined);
  const [createTime, endTime] = [time("create_time"), time("end_time")];
  return create(JobSchema, {
    jobId,
    state,
    plugin: orElse(() => text(row, "plugin"), ""),
    action: orElse(() => text(row, "action"), ""),
    error: create(JobErrorSchema, { state: JobState.FAILED, reason, message, metadata: { ...metadata } }),
    ...(createTime && { createTime }),
    ...(endTime && { endTime }),
  });
}

const states = [...unfinishedStates, JobState.SUCCEEDED, JobState.FAILED, JobState.CANCELLED];
