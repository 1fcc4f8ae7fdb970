import { PassThrough, Readable } from "node:stream";
import { text } from "node:stream/consumers";
import { dispatch } from "../../src/cli/dispatch.ts";
import type { Io } from "../../src/cli/verb.ts";

/** What a command printed, and its exit code. */
export interface Outcome {
  code: number;
  out: string;
  err: string;
}

/** What surrounds a command of a test; `address` is where its service is. */
export interface Surroundings {
  address?: string;
  stdin?: string;
  token?: string;
  signal?: AbortSignal;
  /** Told of every piece of standard output as it comes. */
  onOut?: (text: string) => void;
  /** The same for standard error. */
  onErr?: (text: string) => void;
}

/** Runs one command line in this process. */
export async function command(args: readonly string[], surroundings: Surroundings = {}): Promise<Outcome> {
  const {
    address = "127.0.0.1:1",
    stdin = "",
    token,
    signal = new AbortController().signal,
    onOut,
    onErr,
  } = surroundings;
  const stdout = new PassThrough();
  const stderr = new PassThrough();
  if (onOut) stdout.on("data", (chunk) => onOut(String(chunk)));
  if (onErr) stderr.on("data", (chunk) => onErr(String(chunk)));
  const env = { PLUGIN_RUNNER_ADDRESS: address, PLUGIN_RUNNER_TOKEN: token };
  const urgent = new AbortController().signal;
  const io: Io = { env, stdin: Readable.from([stdin]), stdout, stderr, signal, urgent };
  const printed = Promise.all([text(stdout), text(stderr)]);
  const code = await dispatch(args, io);
  stdout.end();
  stderr.end();
  const [out, err] = await printed;
  return { code, out, err };
}
