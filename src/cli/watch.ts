import { clientOptions, connectionArguments, openClient } from "./client-options.ts";
import { followJob } from "./follow-job.ts";
import { oneArgument } from "./one-argument.ts";
import { type Option, readArguments } from "./options.ts";
import type { Verb } from "./verb.ts";

const options = [
  { name: "after", type: "integer", default: 0, min: 0, description: "Leave out events up to this sequence." },
  ...clientOptions,
] as const satisfies readonly Option[];

export const verb: Verb = {
  usage: "JOB",
  description: "Shows a job from its first event until it has ended, and prints its result. Ctrl-C leaves it running.",
  options,
  examples: [
    ["watch nightly-7", "follow a job"],
    ["watch nightly-7 --json | jq -c 'select(.event.metrics)'", "take its metrics as JSON, one a line"],
  ],
  async run(args, io) {
    const { values, positionals } = readArguments(options, args, io.env);
    const jobId = oneArgument(positionals, "job");
    await using client = openClient(values, io);
    return await followJob(
      client,
      jobId,
      { ...values, cancelOnInterrupt: false, connection: connectionArguments(values) },
      io,
    );
  },
};
