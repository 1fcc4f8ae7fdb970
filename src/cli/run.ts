import { randomUUID } from "node:crypto";
import { type JobEvent, LogSource } from "../../gen/ts/pluginrunner/v1/job_event_pb.ts";
import type { Client } from "../grpc/client.ts";
import { RunnerError } from "../grpc/client-errors.ts";
import { jsonText } from "../util/json-text.ts";
import { actionOptions, readActionOptions, readParams, readTarget } from "./action-options.ts";
import { clientOptions, openClient } from "./client-options.ts";
import { eventLines } from "./job-lines.ts";
import { type Option, readArguments } from "./options.ts";
import { patiently } from "./patience.ts";
import { carriedJson, readableJson } from "./readable-json.ts";
import { neutral, print } from "./terminal.ts";
import { UsageError } from "./usage-error.ts";
import type { Io, Verb } from "./verb.ts";
import { warnOf } from "./warnings.ts";

const options = [
  {
    name: "mode",
    type: "string",
    choices: ["local", "task", "job"],
    default: "local",
    description: "Where to run it: in the service, on a warm worker, or as a job, of which the id is printed.",
  },
  { name: "logs", type: "boolean", description: "Show on standard error what the action writes while it runs." },
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
    ["run tables profile --logs", "see what the action prints while it runs"],
    ["run ./my-plugin greet --param name=Ada --json | jq .result", "take the result on in a script"],
  ],
  async run(args, io) {
    const { values, positionals } = readArguments(options, args, io.env);
    const [plugin, action] = readTarget(positionals, values.entrypoint);
    const params = await readParams(values, io);
    const { mode, logs, json } = values;
    if (logs && mode === "job") throw new UsageError("--logs: `submit` shows what a job writes.");
    await using client = openClient(values, io);
    const requestId = randomUUID();
    await using _showing = logs || mode === "task" ? showing(client, requestId, logs, io) : undefined;
    const running = client.runPlugin(plugin, action, params, {
      ...readActionOptions(values),
      mode,
      requestId,
      onWarning: (warning) => warnOf(warning, io),
      signal: io.signal,
    });
    const result = await patiently(running, io);
    const document = mode === "job" ? { jobId: result } : carriedJson("result", result);
    const text = mode === "job" ? String(result) : readableJson(result);
    await print(io.stdout, json ? jsonText(document) : text);
    return 0;
  },
};

/**
 * Prints what a run writes, from before it is called until it has ended: disposing waits for the rest. Without `logs` it
 * is only what the service says of the run, that it waits for something, say.
 */
function showing(client: Client, requestId: string, logs: boolean, io: Io): AsyncDisposable {
  const ended = new AbortController();
  const shown = show(client, requestId, logs, AbortSignal.any([io.signal, ended.signal]), io);
  const dispose = () => {
    if (!logs) ended.abort();
    return shown;
  };
  return { [Symbol.asyncDispose]: dispose };
}

async function show(client: Client, requestId: string, logs: boolean, signal: AbortSignal, io: Io): Promise<void> {
  try {
    for await (const event of client.watchRun(requestId, { signal })) {
      if (!logs && !isOfService(event)) continue;
      for (const line of eventLines(event)) await print(io.stderr, line);
    }
  } catch (error) {
    // A run that was refused never came to be; its own error says why.
    if (!logs || signal.aborted || (error instanceof RunnerError && error.reason === "RUN_NOT_FOUND")) return;
    const { message } = error instanceof RunnerError ? error : { message: String(error) };
    io.stderr.write(`The run's output cannot be shown: ${neutral(message)}\n`);
  }
}

function isOfService({ payload }: JobEvent): boolean {
  return payload.case === "log" && payload.value.source === LogSource.SERVICE;
}
