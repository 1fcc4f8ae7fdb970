import { actionOptions, readActionOptions, readParams, readTarget } from "./action-options.ts";
import { clientOptions, openClient } from "./client-options.ts";
import { type Option, readArguments } from "./options.ts";
import { print } from "./terminal.ts";
import type { Verb } from "./verb.ts";

const options = [
  {
    name: "mode",
    type: "string",
    choices: ["local", "task", "job"],
    default: "local",
    description: "Where to run it: in the service, on a warm worker, or as a job, of which the id is printed.",
  },
  ...actionOptions,
  ...clientOptions,
] as const satisfies readonly Option[];

export const verb: Verb = {
  usage: "PLUGIN ACTION",
  description: "Runs an action and prints its result.",
  options,
  examples: [
    ["run tables profile --param dataset=penguins", "run an action in the service"],
    ["run digits infer --mode task --params @infer.json", "run it on a warm worker, with params from a file"],
    ["run digits train --mode job --param epochs=20", "start a job and print its id"],
    ["run ./my-plugin greet --param name=Ada --json | jq .result", "take the result on in a script"],
  ],
  async run(args, io) {
    const { values, positionals } = readArguments(options, args, io.env);
    const [plugin, action] = readTarget(positionals, values.entrypoint);
    const params = await readParams(values, io);
    await using client = openClient(values, io);
    const { mode } = values;
    const result = await client.runPlugin(plugin, action, params, {
      ...readActionOptions(values),
      mode,
      signal: io.signal,
    });
    const document = mode === "job" ? { jobId: result } : { result };
    const text = mode === "job" ? String(result) : JSON.stringify(result, undefined, 2);
    await print(io.stdout, values.json ? JSON.stringify(document) : text);
    return 0;
  },
};
