/**
 * A job process: `node job.ts <dir>`. It supervises the child that runs the plugin, and is the only writer of the job's
 * events file, as docs/protocol.md says.
 */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { readFileSync, rmSync, writeSync } from "node:fs";
import { join } from "node:path";
import type { Readable } from "node:stream";
import { setTimeout as delay } from "node:timers/promises";
import { inspect } from "node:util";
import { toErrorRecord } from "../errors.ts";
import { killScope } from "../util/kill-scope.ts";
import { messageOf } from "../util/message-of.ts";
import { killGroup } from "../util/process.ts";
import { onceAfter } from "../util/timer.ts";
import type { JobSpec } from "../worker/messages.ts";
import { childCommand } from "./child-command.ts";
import { ChildEvents } from "./child-events.ts";
import { claimJob } from "./claim-job.ts";
import { Journal } from "./journal.ts";
import { OutputLog } from "./output-log.ts";
import { PatientFile } from "./patient-file.ts";
import { jobRefusal } from "./protocol.ts";
import { Stops } from "./stops.ts";

const scopeVariable = "PLUGIN_RUNNER_SCOPE";
/** How long what the child left in its pipes may take, once it has ended. */
const drainMs = 1_000;
const sweepRounds = 100;
const sweepPauseMs = 10;

await main(process.argv[2] ?? "");

async function main(dir: string): Promise<void> {
  if (await claimJob(dir)) await carry(dir, JSON.parse(readFileSync(join(dir, "spec.json"), "utf8")));
  process.exit(0);
}

async function carry(dir: string, spec: JobSpec): Promise<void> {
  const limits = { bytes: spec.output_limit_bytes, events: spec.max_events };
  const file = new PatientFile(join(dir, "events.jsonl"), { onDropped: (dropped) => journal.sayDropped(dropped) });
  const journal = new Journal(file, limits);
  const refusal = jobRefusal(spec.protocol);
  if (refusal) {
    rmSync(join(dir, "spec.json"), { force: true });
    journal.always({ type: "error", time: now(), error: toErrorRecord(refusal) });
    const how = { code: 1, signal: null, timed_out: false, stopped_by: null };
    journal.always({ type: "exit", time: now(), ...how, stderr_tail: "" });
    return file.written(new AbortController().signal).catch(leave);
  }
  const child = start(dir, spec);
  const tell = stopper(child, spec.grace_seconds);
  let loading = timeLimit(null, tell);
  const stop = () => {
    loading.clear(); // it ends for another cause
    reported.onWithin = () => {};
    tell();
  };
  const stops = new Stops(spec.grace_seconds);
  process.on("SIGHUP", () => {}); // the job outlives the terminal of the service
  process.on("uncaughtException", (error) => abandon(child, spec, error));

  if (child.pid !== undefined) journal.always({ type: "started", time: now(), pid: child.pid });
  const echo = spec.echo_output ? writeOut : undefined;
  const stdout = new OutputLog("STDOUT", spec.line_limit_bytes, journal, echo);
  const stderr = new OutputLog("STDERR", spec.line_limit_bytes, journal, echo);
  const reported = new ChildEvents(spec.result_limit_bytes, journal, { 1: stdout, 2: stderr });
  const drained = Promise.all([
    pump(child.stdio[1], stdout),
    pump(child.stdio[2], stderr),
    pump(child.stdio[3], reported),
  ]);

  const limit = timeLimit(spec.timeout_seconds, stop);
  reported.onWithin = ({ seconds = null, error }) => {
    loading.clear();
    if (error === undefined) return;
    loading = timeLimit(seconds, () => {
      reported.conclude({ type: "error", time: now(), error });
      if (child.pid !== undefined) killGroup(child.pid, "SIGKILL"); // no action has begun that could end in its own way
    });
  };
  stops.listen((sender) => {
    if (!limit.reached && (sender === "SERVICE" || !reported.ended)) stops.by ??= sender;
    stop();
  });
  const end = await ended(child, journal);
  limit.clear();
  reported.onWithin = () => {};
  loading.clear();
  await sweep(child, spec.scope);
  await Promise.race([drained, delay(drainMs)]);
  reported.flush();
  stdout.end();
  stderr.end();
  journal.close();
  reported.end();
  rmSync(join(dir, "spec.json"), { force: true }); // what the job was given may be secret, and nobody needs it any more
  rmSync(spec.work_dir, { recursive: true, force: true, maxRetries: 3 });
  const others = reported.stopped && !limit.reached ? "SIGTERM" : null;
  const how = { ...end, timed_out: limit.reached, stopped_by: stops.by ?? others };
  journal.always({ type: "exit", time: now(), ...how, stderr_tail: stderr.tail });
  await file.written(stops.impatient).catch(leave);
}

/** To a file, which takes it whole; where it is full, the job goes on without. */
function writeOut(chunk: Buffer): void {
  try {
    writeSync(1, chunk);
  } catch {
    // It is in the events as well.
  }
}

/** The child leads a group of its own, so that a signal reaches what it starts and never this process. */
function start(dir: string, spec: JobSpec): ChildProcess {
  const { file, args } = childCommand(dir, spec.memory_mib, spec.scope);
  return spawn(file, args, {
    cwd: spec.binding.root,
    detached: true,
    stdio: ["ignore", "pipe", "pipe", "pipe"],
    env: { ...process.env, ...spec.binding.env, ...spec.env, [scopeVariable]: spec.scope },
  });
}

/** Tells the group to end, and after the grace ends it. */
function stopper(child: ChildProcess, graceSeconds: number): () => void {
  let stopping = false;
  return () => {
    if (stopping || child.pid === undefined) return;
    stopping = true;
    const { pid } = child;
    killGroup(pid, "SIGTERM");
    const timer = setTimeout(() => killGroup(pid, "SIGKILL"), graceSeconds * 1000);
    child.once("exit", () => clearTimeout(timer));
  };
}

function timeLimit(seconds: number | null, stop: () => void) {
  const limit = { reached: false, clear: () => {} };
  if (seconds === null) return limit;
  limit.clear = onceAfter(seconds * 1000, () => {
    limit.reached = true;
    stop();
  });
  return limit;
}

/** How the child ended; 127 when it could not be started, as a shell says. */
async function ended(child: ChildProcess, journal: Journal): Promise<{ code: number | null; signal: string | null }> {
  try {
    await once(child, "exit");
    return { code: child.exitCode, signal: child.signalCode };
  } catch (error) {
    const message = `The job's process could not be started in the plugin's folder: ${String(error)}`;
    journal.always({ type: "error", time: now(), error: { reason: "WORKER_LOST", message, metadata: {} } });
    return { code: 127, signal: null };
  }
}

/** Kills what the child left: its group, and whatever went out of the group but still carries the job's mark. */
async function sweep(child: ChildProcess, scope: string): Promise<void> {
  if (child.pid !== undefined) killGroup(child.pid, "SIGKILL");
  for (let round = 0; round < sweepRounds && killScope(scopeVariable, scope) > 0; round++) {
    await delay(sweepPauseMs);
  }
}

/** Nothing the plugin does would be known from here on. Whoever finds no word of its end reads what is said here. */
function abandon(child: ChildProcess, spec: JobSpec, error: unknown): never {
  process.stderr.write(`The job ends because of ${inspect(error)}\n`);
  if (child.pid !== undefined) killGroup(child.pid, "SIGKILL");
  killScope(scopeVariable, spec.scope);
  process.exit(1);
}

/** Whoever finds no word of the job's end reads this one. */
function leave(error: unknown): never {
  process.stderr.write(`How the job ended could not be written to its events: ${messageOf(error)}\n`);
  process.exit(1);
}

/** Hands on what arrives. Reading and writing take turns, so a flood waits in the pipe. */
async function pump(stream: unknown, sink: { push(chunk: Buffer): void }): Promise<void> {
  if (!isReadable(stream)) return;
  stream.on("data", (chunk: Buffer) => sink.push(chunk));
  await once(stream, "close");
}

function isReadable(stream: unknown): stream is Readable {
  return stream !== null && typeof stream === "object" && "on" in stream;
}

function now(): number {
  return Date.now() / 1000;
}
