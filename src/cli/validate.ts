import { toJson } from "@bufbuild/protobuf";
import { ValidateParamsResponseSchema } from "../../gen/ts/pluginrunner/v1/plugin_runner_pb.ts";
import { paramOptions, readParams, readTarget } from "./action-options.ts";
import { clientOptions, openClient } from "./client-options.ts";
import { type Option, readArguments } from "./options.ts";
import { neutral, print } from "./terminal.ts";
import type { Verb } from "./verb.ts";

const options = [...paramOptions, ...clientOptions] as const satisfies readonly Option[];

export const verb: Verb = {
  usage: "PLUGIN ACTION",
  description:
    "Validates params as a run would, and prints them with defaults filled in, or every fault. Runs nothing.",
  options,
  examples: [["validate digits train --param epochs=many", "see what is wrong; the exit code is 4"]],
  async run(args, io) {
    const { values, positionals } = readArguments(options, args, io.env);
    const [plugin, action] = readTarget(positionals, values.entrypoint);
    const params = await readParams(values, io);
    await using client = openClient(values, io);
    const { entrypoint } = values;
    const verdict = await client.validateParams(plugin, action, params, { entrypoint, signal: io.signal });
    if (values.json) await print(io.stdout, JSON.stringify(toJson(ValidateParamsResponseSchema, verdict)));
    else if (verdict.valid) await print(io.stdout, JSON.stringify(verdict.params ?? {}, undefined, 2));
    for (const { field, description } of verdict.violations)
      io.stderr.write(neutral(`${field || "/"}: ${description}\n`));
    return verdict.valid ? 0 : 4;
  },
};
