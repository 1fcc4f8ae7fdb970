import { verdictToJson } from "../grpc/client-numbers.ts";
import { jsonText } from "../util/json-text.ts";
import { pairs, paramOptions, readParams, readTarget } from "./action-options.ts";
import { clientOptions, openClient } from "./client-options.ts";
import { type Option, readArguments } from "./options.ts";
import { patiently } from "./patience.ts";
import { readableJson } from "./readable-json.ts";
import { neutral, print } from "./terminal.ts";
import type { Verb } from "./verb.ts";
import { warnOf } from "./warnings.ts";

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
    const { entrypoint, env } = values;
    const how = { entrypoint, env: Object.fromEntries(pairs("--env", env)), signal: io.signal };
    const verdict = await patiently(client.validateParams(plugin, action, params, how), io);
    if (values.json) await print(io.stdout, jsonText(verdictToJson(verdict)));
    else if (verdict.valid) await print(io.stdout, readableJson(verdict.params ?? {}));
    for (const warning of verdict.warnings) warnOf(warning, io);
    for (const { field, description } of verdict.violations)
      io.stderr.write(neutral(`${field || "/"}: ${description}\n`));
    return verdict.valid ? 0 : 4;
  },
};
