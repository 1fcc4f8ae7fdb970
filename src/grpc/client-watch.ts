import { create } from "@bufbuild/protobuf";
import type { JobEvent } from "../../gen/ts/pluginrunner/v1/job_event_pb.ts";
import type { Job, JobFilter } from "../../gen/ts/pluginrunner/v1/job_pb.ts";
import {
  PluginRunner,
  WatchJobRequestSchema,
  type WatchJobResponse,
  WatchJobsRequestSchema,
  type WatchJobsResponse,
} from "../../gen/ts/pluginrunner/v1/plugin_runner_pb.ts";
import { isTerminal } from "../job/job-state.ts";
import type { Channel } from "./channel.ts";
import { numbersInEvent, numbersInJob } from "./client-numbers.ts";
import { cut, type ResumeOptions, resuming } from "./client-resume.ts";

/** What a watch of one job yields: the job as it was first, then its events. */
export type JobUpdate = { snapshot: Job; event?: never } | { event: JobEvent; snapshot?: never };

/** What a watch of many jobs yields: jobs as they change, and ids of those that are gone. */
export type JobsUpdate = { snapshot: Job; removedJobId?: never } | { removedJobId: string; snapshot?: never };

/** Yields one snapshot, then every event after a position, each once and in order; ends after the job's last one. */
export async function* watchJob(
  channel: Channel,
  jobId: string,
  afterSequence: bigint,
  options: ResumeOptions,
): AsyncGenerator<JobUpdate, void, undefined> {
  let last = afterSequence;
  let newest: Job | undefined;
  const open = (signal: AbortSignal) => {
    const request = create(WatchJobRequestSchema, { jobId, afterSequence: last });
    return withoutGaps(channel.stream(PluginRunner.method.watchJob, request, signal), last);
  };
  const finished = () => newest !== undefined && isTerminal(newest.state) && last >= newest.lastSequence;
  const caughtUp = () => newest !== undefined && last >= newest.lastSequence;
  for await (const { update } of resuming(open, finished, caughtUp, options)) {
    if (update.case === "snapshot") {
      const first = newest === undefined;
      newest = numbersInJob(update.value);
      if (first) yield { snapshot: newest };
    }
    for (const event of update.case === "events" ? update.value.events : []) {
      if (event.sequence <= last) continue;
      last = event.sequence;
      yield { event: numbersInEvent(event) };
      if (isLast(event)) return;
    }
  }
}

/** Yields the jobs that match a filter, then each that changes, until the signal aborts or the iteration is left. */
export async function* watchJobs(
  channel: Channel,
  filter: JobFilter | undefined,
  options: ResumeOptions,
): AsyncGenerator<JobsUpdate, void, undefined> {
  const request = create(WatchJobsRequestSchema, filter ? { filter } : {});
  const known = new Set<string>();
  let unconfirmed = new Set<string>();
  const open = (signal: AbortSignal) => {
    unconfirmed = new Set(known);
    return channel.stream(PluginRunner.method.watchJobs, request, signal);
  };
  // The first heartbeat says that all jobs there were have been sent, also where there were none.
  const caughtUp = ({ update }: WatchJobsResponse) => update.case === "heartbeat";
  for await (const { update } of resuming(open, () => false, caughtUp, options)) {
    if (update.case === "snapshot") {
      known.add(update.value.jobId);
      unconfirmed.delete(update.value.jobId);
      yield { snapshot: numbersInJob(update.value) };
    } else if (update.case === "removedJobId") {
      if (known.delete(update.value)) yield { removedJobId: update.value };
    } else if (update.case === "heartbeat") {
      // Everything there is has been sent again: what is missing went away while nobody listened.
      for (const removedJobId of unconfirmed) if (known.delete(removedJobId)) yield { removedJobId };
      unconfirmed.clear();
    }
  }
}

/** Whether a job has no event after this one. */
export function isLast(event: JobEvent): boolean {
  return event.payload.case === "result" || event.payload.case === "error";
}

/** Treats a stream that skips events as one that was cut, so that it is opened again at the gap. */
async function* withoutGaps(messages: AsyncIterable<WatchJobResponse>, after: bigint) {
  let last = after;
  for await (const message of messages) {
    for (const { sequence } of message.update.case === "events" ? message.update.value.events : []) {
      if (sequence > last + 1n) throw cut(`Events ${last + 1n} to ${sequence - 1n} are missing from the stream.`);
      if (sequence > last) last = sequence;
    }
    yield message;
  }
}
