import { actionOptions, pairs, readActionOptions, readParams, readTarget } from "./action-options.ts";
import { clientOptions, connectionArguments, openClient } from "./client-options.ts";
import { followJob } from "./follow-job.ts";
import { type Option, readArguments } from "./options.ts";
import { patiently } from "./patience.ts";
import { print } from "./terminal.ts";
import type { Verb } from "./verb.ts";
import { warnOf } from "./warnings.ts";

const options = [
  { name: "label", type: "list", value: "NAME=VALUE", description: "A mark to filter jobs by." },
  { name: "detach", type: "boolean", description: "Print the job's id and leave." },
  { name: "cancel-on-interrupt", type: "boolean", description: "Let Ctrl-C cancel the job instead of leaving it." },
  ...actionOptions,
  ...clientOptions,
] as const satisfies readonly Option[];

export const verb: Verb = {
  usage: "PLUGIN ACTION",
  description:
    "Submits a job, shows it while it runs and prints its result. Ctrl-C leaves the job running. A second submission " +
    "with the same --job-id and content shows the first one's job.",
  options,
  examples: [
    ["submit digits train --param epochs=20", "train, with a progress bar for every step"],
    ["submit digits train --detach --label team=vision", "start it and print its id"],
    ["submit digits train --job-id nightly-7 --timeout 2h", "choose the id, and limit the time"],
  ],
  async run(args, io) {
    const { values, positionals } = readArguments(options, args, io.env);
    const [plugin, action] = readTarget(positionals, values.entrypoint);
    const params = await readParams(values, io);
    const labels = Object.fromEntries(pairs("--label", values.label));
    await using client = openClient(values, io);
    const submitted = client.submitJob(plugin, action, params, {
      ...readActionOptions(values),
      labels,
      onWarning: (warning) => warnOf(warning, io),
      signal: io.signal,
    });
    const job = await patiently(submitted, io);
    if (values.detach) {
      await print(io.stdout, values.json ? JSON.stringify({ jobId: job.id }) : job.id);
      return 0;
    }
    return await followJob(client, job.id, { ...values, after: 0, connection: connectionArguments(values) }, io);
  },
};
