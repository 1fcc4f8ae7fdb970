import { timestampMs } from "@bufbuild/protobuf/wkt";
import type { Job, JobFilter } from "../../gen/ts/pluginrunner/v1/job_pb.ts";

/** Whether a job matches a filter; the same question that a store answers for lists. */
export function matchesFilter(job: Job, filter: JobFilter | undefined): boolean {
  if (!filter) return true;
  const created = job.createTime ? timestampMs(job.createTime) : 0;
  return (
    (filter.states.length === 0 || filter.states.includes(job.state)) &&
    (filter.plugin === "" || filter.plugin === job.plugin) &&
    (filter.action === "" || filter.action === job.action) &&
    Object.entries(filter.labels).every(([name, value]) => job.labels[name] === value) &&
    (!filter.createdAfter || created >= timestampMs(filter.createdAfter)) &&
    (!filter.createdBefore || created < timestampMs(filter.createdBefore))
  );
}
