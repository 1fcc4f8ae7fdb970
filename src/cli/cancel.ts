import { jobToJson } from "../grpc/client-numbers.ts";
import { jsonText } from "../util/json-text.ts";
import { clientOptions, openClient } from "./client-options.ts";
import { jobLine } from "./job-lines.ts";
import { oneArgument } from "./one-argument.ts";
import { readArguments } from "./options.ts";
import { print } from "./terminal.ts";
import type { Verb } from "./verb.ts";

export const verb: Verb = {
  usage: "JOB",
  description: "Tells a job to stop, and returns at once. The job's process is killed when it does not end by itself.",
  options: clientOptions,
  examples: [["cancel nightly-7", "stop a job"]],
  async run(args, io) {
    const { values, positionals } = readArguments(clientOptions, args, io.env);
    const jobId = oneArgument(positionals, "job");
    await using client = openClient(values, io);
    const job = await client.cancelJob(jobId, io.signal);
    await print(io.stdout, values.json ? jsonText(jobToJson(job)) : jobLine(job));
    return 0;
  },
};
