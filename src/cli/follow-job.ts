import type { Job } from "../../gen/ts/pluginrunner/v1/job_pb.ts";
import type { Client } from "../grpc/client.ts";
import { fromJobError, RunnerError } from "../grpc/client-errors.ts";
import { JobHandle } from "../grpc/client-job.ts";
import { exitCodeOf } from "./exit-codes.ts";
import { type JobView, jobView } from "./job-view.ts";
import { reportError } from "./report-error.ts";
import { print } from "./terminal.ts";
import type { Io } from "./verb.ts";

/** How a job is followed. */
export interface FollowOptions {
  json: boolean;
  /** The sequence of the last event that is not to be shown. */
  after: number;
  /** What an interrupt does to the job; it is left alone otherwise. */
  cancelOnInterrupt: boolean;
}

/** Shows a job until it has ended, prints its result or its error, and returns the exit code. */
export async function followJob(client: Client, jobId: string, options: FollowOptions, io: Io): Promise<number> {
  const { json, after, cancelOnInterrupt } = options;
  try {
    using view = jobView(io, json);
    using _cancelling = cancelOnInterrupt ? cancelling(client, jobId, view, io.signal) : undefined;
    const onRetry = (error: RunnerError) => view.notice(`${error.message} Trying again.`);
    const signal = cancelOnInterrupt ? undefined : io.signal;
    for await (const { snapshot, event } of client.watchJob(jobId, { afterSequence: after, signal, onRetry })) {
      if (snapshot) await view.snapshot(snapshot);
      else await view.event(event);
    }
  } catch (error) {
    if (!io.signal.aborted || error instanceof RunnerError) throw error;
    io.stderr.write(`Job ${jobId} goes on. Watch it again with \`plugin-runner watch ${jobId}\`, `);
    io.stderr.write(`or end it with \`plugin-runner cancel ${jobId}\`.\n`);
    return 130;
  }
  return showOutcome(client, await client.getJob(jobId), json, io);
}

/** In JSON the last event has told the outcome already. */
async function showOutcome(client: Client, job: Job, json: boolean, io: Io): Promise<number> {
  if (job.error) {
    const error = fromJobError(job.jobId, job.error);
    reportError(error, io);
    return exitCodeOf(error);
  }
  if (!json) await print(io.stdout, JSON.stringify(await new JobHandle(client, job).result(), undefined, 2));
  return 0;
}

/** Cancels the job on an interrupt; the watch goes on until the job has ended. */
function cancelling(client: Client, jobId: string, view: JobView, signal: AbortSignal): Disposable {
  const cancel = () => {
    view.notice(`Cancelling job ${jobId}.`);
    client.cancelJob(jobId).catch((error: unknown) => view.notice(`Job ${jobId} was not cancelled: ${error}`));
  };
  signal.addEventListener("abort", cancel, { once: true });
  return { [Symbol.dispose]: () => signal.removeEventListener("abort", cancel) };
}
