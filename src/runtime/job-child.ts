/** The child of a job process: `node job-child.ts <dir>`. Runs the action, and reports on file descriptor 3. */
import { mkdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { PluginRunnerError, toErrorRecord } from "../errors.ts";
import { type Carried, withNumbers } from "../util/non-finite.ts";
import type { EventRecord, JobSpec } from "../worker/messages.ts";
import { asWritten } from "./as-written.ts";
import { blockOnOutput } from "./blocking-output.ts";
import { pointersOf } from "./encode.ts";
import { EventPipe } from "./event-pipe.ts";
import { loadAction } from "./load-action.ts";
import { loadingWithin, neverLoads } from "./load-limit.ts";
import { shareModules } from "./module-hooks.ts";
import { volunteerForOutOfMemory } from "./oom-score.ts";
import { actionFailed, describeThrown } from "./plugin-failure.ts";
import { recordOutput } from "./record-output.ts";
import { runAction } from "./run-action.ts";
import { RunDirectory } from "./run-directory.ts";
import { exitCalled, neverSettles } from "./run-guard.ts";

type Ending = Extract<EventRecord, { type: "result" | "error" }>;

const jobDir = process.argv[2] ?? "";
const spec: JobSpec = JSON.parse(readFileSync(join(jobDir, "spec.json"), "utf8"));
const pipe = new EventPipe(3, spec.line_limit_bytes);
const cancel = new AbortController();
let concluded = false;
let loaded = false;

volunteerForOutOfMemory();
shareModules(spec.binding);
blockOnOutput();
recordOutput(pipe.print);
mkdirSync(spec.work_dir, { recursive: true, mode: 0o700 });
process.on("SIGTERM", () => cancel.abort());
process.on("uncaughtException", (thrown) => finish(() => failure(actionFailed(spec.action, thrown))));
process.on("unhandledRejection", (thrown) => finish(() => failure(actionFailed(spec.action, thrown))));
process.on("beforeExit", () =>
  finish(() => failure(loaded ? neverSettles(spec.action) : neverLoads(spec.binding, [spec.entrypoint]))),
);
process.on("exit", (code) => {
  if (concluded) return;
  const { aborted } = cancel.signal;
  pipe.write(aborted ? { ...failure(cancelled()), stopped: true } : failure(exitCalled(spec.action, String(code))));
});
run().then(
  (value) => finish(() => success(value)),
  (thrown) => finish(() => failure(PluginRunnerError.from(thrown))),
);

async function run(): Promise<Carried> {
  const { action, job_id: jobId, non_finite: nonFinite = [] } = spec;
  const params = withNumbers(spec.params, nonFinite);
  const directory = new RunDirectory(spec.work_dir, join(jobDir, "artifacts"));
  const { binding, entrypoint, load_timeout_seconds: seconds } = spec;
  if (seconds !== undefined) pipe.tell(loadingWithin(binding, [entrypoint], seconds));
  const code = await loadAction(binding, entrypoint);
  loaded = true;
  if (seconds !== undefined) pipe.tell({ type: "within" });
  if (cancel.signal.aborted) throw cancelled();
  const env = { ...spec.binding.env, ...spec.env };
  return runAction(code, { action, params, env, jobId, directory, sink: pipe.write, signal: cancel.signal });
}

/** Reports how the job ended, once, and ends the process: whatever the plugin left open does not keep it. */
function finish(outcome: () => Ending): void {
  if (concluded) return;
  const record = outcome();
  concluded = true;
  pipe.write(cancel.signal.aborted ? { ...record, stopped: true } : record);
  process.exit(record.type === "result" ? 0 : 1);
}

function success(result: Carried): Ending {
  const bytes = Buffer.byteLength(JSON.stringify(result.value));
  if (bytes > spec.result_limit_bytes) return failure(tooLarge(bytes));
  return { type: "result", time: now(), value: result.value, ...pointersOf(result) };
}

function failure(error: PluginRunnerError): Ending {
  if (error.cause !== undefined) process.stderr.write(`${describeThrown(error.cause).stack}\n`);
  return { type: "error", time: now(), error: asWritten(toErrorRecord(error), spec.binding) };
}

function tooLarge(bytes: number): PluginRunnerError {
  const limit = spec.result_limit_bytes;
  const message = `The result has ${bytes} bytes, and ${limit} are allowed: make it an artifact (ctx.artifact).`;
  return new PluginRunnerError("RESULT_INVALID", message, {
    metadata: { field: "", size_bytes: String(bytes), max_result_bytes: String(limit) },
  });
}

function cancelled(): PluginRunnerError {
  return new PluginRunnerError("CANCELLED", `Action ${spec.action} was cancelled.`, {
    metadata: { action: spec.action },
  });
}

function now(): number {
  return Date.now() / 1000;
}
