import type { Job } from "../../gen/ts/pluginrunner/v1/job_pb.ts";
import type { Client } from "../grpc/client.ts";
import { fromJobError, RunnerError } from "../grpc/client-errors.ts";
import { JobHandle } from "../grpc/client-job.ts";
import type { WatchState } from "../grpc/client-resume.ts";
import { exitCodeOf } from "./exit-codes.ts";
import { type JobView, jobView } from "./job-view.ts";
import { readableJson } from "./readable-json.ts";
import { reportError } from "./report-error.ts";
import { isTerminal, print } from "./terminal.ts";
import type { Io } from "./verb.ts";

/** How a job is followed. */
export interface FollowOptions {
  json: boolean;
  /** The sequence of the last event that is not to be shown. */
  after: number;
  /** What an interrupt does to the job; it is left alone otherwise. */
  cancelOnInterrupt: boolean;
  /** The arguments that lead another command to the same server. */
  connection: string;
}

/** Shows a job until it has ended, prints its result or its error, and returns the exit code. */
export async function followJob(client: Client, jobId: string, options: FollowOptions, io: Io): Promise<number> {
  const { json, after, cancelOnInterrupt, connection } = options;
  try {
    using view = jobView(io, json);
    using _cancelling = cancelOnInterrupt ? cancelling(client, jobId, view, io.signal) : undefined;
    const onState = outages(client.address, view);
    const signal = cancelOnInterrupt ? undefined : io.signal;
    for await (const { snapshot, event } of client.watchJob(jobId, { afterSequence: after, signal, onState })) {
      if (snapshot) await view.snapshot(snapshot);
      else await view.event(event);
    }
  } catch (error) {
    if (!io.signal.aborted || error instanceof RunnerError) throw error;
    // The terminal has shown ^C.
    if (isTerminal(io.stderr)) io.stderr.write("\r\x1b[K");
    io.stderr.write(`Job ${jobId} goes on. Watch it again with \`plugin-runner watch ${jobId}${connection}\`, `);
    io.stderr.write(`or end it with \`plugin-runner cancel ${jobId}${connection}\`.\n`);
    return 130;
  }
  return showOutcome(client, await client.getJob(jobId), json, io);
}

/** Tells of an outage once, and of its end: how the tries in between fail is of no use to anybody. */
function outages(address: string, view: JobView): (state: WatchState) => void {
  let lost = false;
  return (state) => {
    if (state === "reconnecting") view.notice(`The server at ${address} does not answer. Looking for it.`);
    if (state === "live" && lost) view.notice("The server is back.");
    lost = state === "reconnecting";
  };
}

/** In JSON the last event has told the outcome already. */
async function showOutcome(client: Client, job: Job, json: boolean, io: Io): Promise<number> {
  if (job.error) {
    const error = fromJobError(job.jobId, job.error);
    reportError(error, io);
    return exitCodeOf(error);
  }
  if (!json) await print(io.stdout, readableJson(await new JobHandle(client, job).result()));
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
