import { create, type MessageInitShape, type MessageShape, toBinary } from "@bufbuild/protobuf";
import { timestampNow } from "@bufbuild/protobuf/wkt";
import { type Job, JobSchema } from "../../gen/ts/pluginrunner/v1/job_pb.ts";
import {
  WatchJobResponseSchema,
  type WatchJobsRequest,
  WatchJobsResponseSchema,
} from "../../gen/ts/pluginrunner/v1/plugin_runner_pb.ts";
import { summary } from "../job/job-summary.ts";
import type { Runner } from "../runner/runner.ts";
import type { Send } from "./call.ts";

export interface WatchContext {
  runner: Runner;
  /** The largest message that a snapshot may be, in bytes. */
  maxBytes: number;
  /** Aborts when the caller is gone. */
  signal: AbortSignal;
  /** Aborts when this server is going away: the stream then tells its watcher to come back. */
  leaving: AbortSignal;
}

/** Sends the updates of one job as `WatchJobResponse`, which is the same on the wire as `SubmitJobResponse`. */
export async function sendJob(
  jobId: string,
  after: bigint,
  { runner, maxBytes, signal, leaving }: WatchContext,
  send: Send<Uint8Array>,
): Promise<void> {
  let sent = after;
  const watcher = {
    snapshot: ({ job }: { job: Job }) => send(jobUpdate({ case: "snapshot", value: fit(job, maxBytes) })),
    events: (message: Buffer, last: bigint) => {
      sent = last;
      return send(message);
    },
    quiet: (last: bigint) =>
      send(jobUpdate({ case: "heartbeat", value: { lastSequence: last, serverTime: timestampNow() } })),
  };
  await untilLeaving(signal, leaving, (end) => runner.watchJob(jobId, after, watcher, end));
  if (leaving.aborted) await send(jobUpdate({ case: "reconnect", value: { afterSequence: sent } }));
}

/** Sends the updates of all jobs that match. Ends only with the server. */
export async function sendJobs(
  { filter }: WatchJobsRequest,
  { runner, signal, leaving }: WatchContext,
  send: Send<MessageShape<typeof WatchJobsResponseSchema>>,
): Promise<void> {
  await untilLeaving(signal, leaving, async (end) => {
    for await (const update of runner.watchJobs(filter, end)) {
      if (update.kind === "snapshot") await send(jobsUpdate({ case: "snapshot", value: summary(update.job) }));
      else if (update.kind === "removed") await send(jobsUpdate({ case: "removedJobId", value: update.jobId }));
      else await send(jobsUpdate({ case: "heartbeat", value: { serverTime: timestampNow() } }));
    }
  });
  await send(jobsUpdate({ case: "reconnect", value: {} }));
}

/** A job whose params and result, or what there is of it, together are more than a client takes is shown without them. */
export function fit(job: Job, maxBytes: number): Job {
  const mayBeLarge = job.params ?? job.result ?? job.error?.partialResult;
  return mayBeLarge !== undefined && toBinary(JobSchema, job).length > maxBytes ? summary(job) : job;
}

/** Runs `work` until it ends, or until the server leaves. Rejects with the reason of `signal` when the caller is gone. */
async function untilLeaving(
  signal: AbortSignal,
  leaving: AbortSignal,
  work: (end: AbortSignal) => Promise<void>,
): Promise<void> {
  try {
    await work(AbortSignal.any([signal, leaving]));
  } catch (error) {
    signal.throwIfAborted();
    if (!leaving.aborted) throw error;
  }
}

function jobUpdate(update: NonNullable<MessageInitShape<typeof WatchJobResponseSchema>["update"]>): Uint8Array {
  return toBinary(WatchJobResponseSchema, create(WatchJobResponseSchema, { update }));
}

function jobsUpdate(update: NonNullable<MessageInitShape<typeof WatchJobsResponseSchema>["update"]>) {
  return create(WatchJobsResponseSchema, { update });
}
