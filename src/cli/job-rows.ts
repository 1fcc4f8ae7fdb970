import { timestampMs } from "@bufbuild/protobuf/wkt";
import type { Job } from "../../gen/ts/pluginrunner/v1/job_pb.ts";
import { stateName } from "../job/job-state.ts";
import { columns, duration, time } from "./format.ts";
import { percent } from "./job-lines.ts";

/** Jobs as the lines of a table, the heading first. */
export function jobRows(jobs: readonly Job[]): string[] {
  return columns(
    ["JOB", "STATE", "PLUGIN", "ACTION", "CREATED", "TOOK", "PROGRESS"],
    jobs.map((job) => [
      job.jobId,
      stateName(job.state),
      job.plugin,
      job.action,
      time(job.createTime),
      took(job),
      job.progress.map((step) => `${step.step} ${percent(step).trim()}`.trim()).join(", "),
    ]),
  );
}

function took({ startTime, endTime }: Job): string {
  if (!startTime) return "";
  return duration((endTime ? timestampMs(endTime) : Date.now()) - timestampMs(startTime));
}
