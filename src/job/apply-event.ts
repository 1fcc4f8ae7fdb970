import { type DescMessage, type MessageShape, toBinary } from "@bufbuild/protobuf";
import type { JobEvent } from "../../gen/ts/pluginrunner/v1/job_event_pb.ts";
import {
  type Job,
  JobArtifactSchema,
  JobMetricsSchema,
  JobProgressSchema,
  JobState,
} from "../../gen/ts/pluginrunner/v1/job_pb.ts";

/** More steps or artifacts than a person could look at are kept as events only. */
const maxListed = 100;

/** So is what is larger: a snapshot has to fit into a message, with all that it lists. */
const maxItemBytes = 8 * 1024;

/** Brings a job's snapshot up to date with its next event. */
export function applyEvent(job: Job, event: JobEvent): void {
  job.lastSequence = event.sequence;
  const { payload, eventTime } = event;
  switch (payload.case) {
    case "stateChanged":
      job.state = payload.value.state;
      job.stateDetail = payload.value.detail;
      if (job.state === JobState.RUNNING && !job.startTime && eventTime) job.startTime = eventTime;
      break;
    case "progress":
      replaceOrAdd(JobProgressSchema, job.progress, payload.value, { message: "" }, (one) => one.step);
      break;
    case "metrics":
      replaceOrAdd(JobMetricsSchema, job.metrics, payload.value, { values: {}, nonFinite: [] }, (one) => one.step);
      break;
    case "artifact":
      replaceOrAdd(JobArtifactSchema, job.artifacts, payload.value, { metadata: {}, nonFinite: [] }, (one) => one.name);
      break;
    case "result":
      job.state = JobState.SUCCEEDED;
      job.stateDetail = "";
      if (payload.value.value) job.result = payload.value.value;
      job.nonFiniteResult = payload.value.nonFinite;
      if (eventTime) job.endTime = eventTime;
      break;
    case "error":
      job.state = payload.value.state;
      job.stateDetail = "";
      job.error = payload.value;
      if (eventTime) job.endTime = eventTime;
      break;
  }
}

/** An item that is too large goes in without its larger part, or not at all. */
function replaceOrAdd<Desc extends DescMessage>(
  desc: Desc,
  list: MessageShape<Desc>[],
  item: MessageShape<Desc>,
  slim: Partial<MessageShape<Desc>>,
  name: (item: MessageShape<Desc>) => string,
): void {
  const fits = (one: MessageShape<Desc>) => toBinary(desc, one).length <= maxItemBytes;
  const kept = [item, { ...item, ...slim }].find(fits);
  const at = list.findIndex((one) => name(one) === name(item));
  if (kept === undefined) return;
  if (at >= 0) list[at] = kept;
  else if (list.length < maxListed) list.push(kept);
}
