import { create } from "@bufbuild/protobuf";
import {
  PluginRunner,
  WatchJobRequestSchema,
  type WatchJobResponse,
} from "../../gen/ts/pluginrunner/v1/plugin_runner_pb.ts";
import type { Channel } from "../../src/grpc/channel.ts";
import { RunnerError } from "../../src/grpc/client-errors.ts";
import { pause } from "../../src/grpc/client-retry.ts";
import { GrpcChannel } from "../../src/grpc/grpc-channel.ts";
import type { WatchedStream } from "./watch-validator.ts";

export interface RecordOptions {
  after?: bigint;
  /** Told of every message as it comes; true leaves the watch. */
  until?: (message: WatchJobResponse) => boolean;
  /** Nothing is read beyond the first message before this resolves. */
  hold?: Promise<void>;
}

/** How long a server that is down is looked for. */
const maxFailures = 600;

/** Watches a job to its end, over every cut, and records all messages as they came. */
export async function recordWatch(address: string, jobId: string, options: RecordOptions = {}) {
  const channel = openChannel(address);
  const streams: WatchedStream[] = [];
  try {
    let after = options.after ?? 0n;
    for (let failures = 0; failures < maxFailures; ) {
      const stream = await recordStream(channel, jobId, { ...options, after });
      streams.push(stream);
      if (stream.ended) return streams;
      failures = stream.messages.length > 0 ? 0 : failures + 1;
      after = lastOf(stream);
      await pause(1, undefined, undefined);
    }
    throw new Error(`The watch of ${jobId} was cut too often.`);
  } finally {
    channel.close();
  }
}

/** Records one stream until it ends, is cut, or says that the server is going away. Throws what is no cut. */
export async function recordStream(channel: Channel, jobId: string, options: RecordOptions): Promise<WatchedStream> {
  const { after = 0n, until, hold } = options;
  const messages: WatchJobResponse[] = [];
  const request = create(WatchJobRequestSchema, { jobId, afterSequence: after });
  try {
    for await (const message of channel.stream(PluginRunner.method.watchJob, request)) {
      messages.push(message);
      await hold;
      if (until?.(message) || message.update.case === "reconnect") return { after, messages, ended: false };
    }
    return { after, messages, ended: true };
  } catch (error) {
    if (error instanceof RunnerError && (error.reason === "UNAVAILABLE" || error.reason === "CANCELLED")) {
      return { after, messages, ended: false };
    }
    throw error;
  }
}

/** Whether a message says that the action has begun to report. */
export function hasProgress({ update }: WatchJobResponse): boolean {
  if (update.case === "snapshot") return update.value.progress.length > 0;
  return update.case === "events" && update.value.events.some(({ payload }) => payload.case === "progress");
}

/** A connection without the client's own resuming. */
export function openChannel(address: string, token?: string): Channel {
  return new GrpcChannel({ address, token, tls: undefined });
}

/** The sequence of the last event that a stream brought. */
export function lastOf({ after, messages }: WatchedStream): bigint {
  const events = messages.flatMap(({ update }) => (update.case === "events" ? update.value.events : []));
  return events.at(-1)?.sequence ?? after;
}
