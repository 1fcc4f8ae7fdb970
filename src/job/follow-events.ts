import { create, fromJson, toBinary, toJson } from "@bufbuild/protobuf";
import { durationMs, ValueSchema } from "@bufbuild/protobuf/wkt";
import type { JobEvent } from "../../gen/ts/pluginrunner/v1/job_event_pb.ts";
import { type Job, type JobError, JobErrorSchema, JobState } from "../../gen/ts/pluginrunner/v1/job_pb.ts";
import { type ErrorRecord, type PluginRunnerError, toErrorRecord } from "../errors.ts";
import { LineSplitter } from "../util/lines.ts";
import { memoryNote } from "../util/out-of-memory.ts";
import { type EventLine, readEventLine, serviceLog } from "./event-record.ts";
import type { EventDraft, JobLog } from "./job-log.ts";

type Result = Extract<JobEvent["payload"], { case: "result" }>;
type Exit = Extract<EventLine, { kind: "exit" }>;

/** What the action said of its own end. */
type Outcome = { timeMs: number; payload: Result } | { timeMs: number; error: ErrorRecord };

/** A supervisor keeps lines far below this; one beyond it is not from a supervisor. */
const maxLineBytes = 64 * 1024 * 1024;

/**
 * Reads a job's events file into its log, up to the terminal event. `chunks` begins at the log's position. What the
 * action says of its end becomes the terminal event only once its process is gone, so that the last lines of its output
 * come before it; from there on nothing is appended until all of it can be, so that a crash in between loses nothing.
 */
export async function followEvents(
  log: JobLog,
  chunks: AsyncIterable<Uint8Array>,
  options: {
    maxResultBytes: number;
    explain?: () => Promise<PluginRunnerError | undefined>;
    /** Comes before the last event of a job that has said how its process ended. */
    tidy?: () => Promise<void>;
  },
): Promise<void> {
  const lines = new LineSplitter(maxLineBytes);
  let position = log.record.position;
  let outcome: Outcome | undefined;
  let held: EventDraft[] = [];
  for await (const chunk of chunks) {
    for (const bytes of lines.push(chunk)) {
      position += bytes.length + 1;
      if (bytes.length === 0) continue; // says nothing; on Ray it lets the dashboard see who still reads
      const line = readEventLine(bytes);
      if (line?.kind === "exit") {
        await options.tidy?.();
        const last = terminalEvent(log, outcome, line, options.maxResultBytes);
        return log.append([...held, last], position);
      }
      const ends = outcomeOf(line);
      if (ends) outcome ??= ends;
      else held.push(...draftsOf(line));
    }
    if (!outcome && held.length > 0) {
      await log.append(held, position);
      held = [];
    }
  }
  const told = outcome !== undefined || log.cancelling;
  const why = told ? undefined : await options.explain?.();
  const last = why ? errorEvent(log, why) : terminalEvent(log, outcome, undefined, options.maxResultBytes);
  return log.append([...held, last], position);
}

/** The last event of a job that an error kept from starting, or ended from outside its process. */
export function errorEvent(log: JobLog, error: PluginRunnerError): EventDraft {
  const cancelled = log.cancelling || error.reason === "CANCELLED";
  return failure(cancelled ? JobState.CANCELLED : JobState.FAILED, toErrorRecord(error), Date.now());
}

function outcomeOf(line: EventLine | undefined): Outcome | undefined {
  if (line?.kind === "error") return line;
  if (line?.kind !== "event") return undefined;
  const { timeMs, payload } = line.draft;
  return payload.case === "result" ? { timeMs, payload } : undefined;
}

function draftsOf(line: EventLine | undefined): EventDraft[] {
  if (line?.kind === "event") return [line.draft];
  if (line?.kind === "started") {
    const value = { $typeName: "pluginrunner.v1.JobStateChange", state: JobState.RUNNING, detail: "" } as const;
    return [{ timeMs: line.timeMs, payload: { case: "stateChanged", value } }];
  }
  return line ? [] : [serviceLog("A line of the job's events could not be read and was left out.")];
}

/** The first cause of an end wins: a cancel, then the time limit, then what the action said, then how it ended. */
function terminalEvent(
  log: JobLog,
  outcome: Outcome | undefined,
  exit: Exit | undefined,
  maxResultBytes: number,
): EventDraft {
  const timeMs = outcome?.timeMs ?? exit?.timeMs ?? Date.now();
  if (log.cancelling || exit?.stoppedBy === "SERVICE") {
    return failure(JobState.CANCELLED, { reason: "CANCELLED", message: "The job was cancelled." }, timeMs);
  }
  if (exit?.timedOut) return failure(JobState.FAILED, timeLimit(log.job), timeMs);
  if (exit?.stoppedBy) {
    return failure(JobState.FAILED, fitting(stoppedFromOutside(exit, outcome), maxResultBytes), timeMs);
  }
  if (!outcome) return failure(JobState.FAILED, lost(exit), timeMs);
  if ("error" in outcome) {
    const state = outcome.error.reason === "CANCELLED" ? JobState.CANCELLED : JobState.FAILED;
    return failure(state, fitting(outcome.error, maxResultBytes), timeMs);
  }
  const fault = resultFault(outcome.payload, maxResultBytes);
  return fault ? failure(JobState.FAILED, fault, timeMs) : { timeMs, payload: outcome.payload };
}

function timeLimit(job: Job): ErrorRecord {
  const seconds = job.timeout ? durationMs(job.timeout) / 1000 : 0;
  return {
    reason: "DEADLINE",
    message: `The action ran longer than its timeout of ${seconds} s.`,
    metadata: { timeout_seconds: String(seconds), started: "true" },
  };
}

/** What an action says that somebody else told to stop is not what it would have said. */
function stoppedFromOutside(exit: Exit, outcome: Outcome | undefined): ErrorRecord {
  const { stoppedBy } = exit;
  const error: ErrorRecord = {
    reason: "WORKER_LOST",
    message: `The platform told the job to stop (${stoppedBy}) before the action had ended; nobody cancelled it.`,
    metadata: { signal: stoppedBy, stderr_tail: exit.stderrTail.trimEnd() },
  };
  if (!outcome) return error;
  if ("error" in outcome) {
    const { reason, message, metadata: _, ...more } = outcome.error;
    return { ...more, ...error, metadata: { ...error.metadata, action_reason: reason, action_message: message } };
  }
  const { value, nonFinite } = outcome.payload.value;
  return value ? { ...error, partial_result: toJson(ValueSchema, value), non_finite: nonFinite } : error;
}

function lost(exit: Exit | undefined): ErrorRecord {
  if (!exit) return { reason: "WORKER_LOST", message: "The job's process is gone and left no word." };
  const how = exit.signal ? `was ended by ${exit.signal}` : `exited with code ${exit.code}`;
  return {
    reason: "WORKER_LOST",
    message: `The job's process ${how} before the action returned.${memoryNote(exit.signal, exit.stderrTail)}`,
    metadata: {
      ...(exit.signal ? { signal: exit.signal } : { exit_code: String(exit.code) }),
      stderr_tail: exit.stderrTail.trimEnd(),
    },
  };
}

function resultFault({ value }: Result, maxBytes: number): ErrorRecord | undefined {
  const bytes = value.value ? toBinary(ValueSchema, value.value).length : 0;
  if (bytes <= maxBytes) return undefined;
  return {
    reason: "RESULT_INVALID",
    message: `The result takes ${bytes} bytes, and at most ${maxBytes} are allowed: make it an artifact (ctx.artifact).`,
    metadata: { size_bytes: String(bytes), max_result_bytes: String(maxBytes), field: "" },
  };
}

/** What can be carried of a result is held to the limit of results. */
function fitting(error: ErrorRecord, maxBytes: number): ErrorRecord {
  const { partial_result: partial, non_finite: _, ...rest } = error;
  if (partial === undefined || toBinary(ValueSchema, fromJson(ValueSchema, partial)).length <= maxBytes) return error;
  return { ...rest, metadata: { ...error.metadata, partial_result: "too large to send" } };
}

function failure(state: JobState, error: ErrorRecord, timeMs: number): EventDraft {
  return { timeMs, payload: { case: "error", value: jobError(state, error) } };
}

function jobError(state: JobState, error: ErrorRecord): JobError {
  return create(JobErrorSchema, {
    state,
    reason: error.reason,
    message: error.message,
    metadata: error.metadata ?? {},
    exceptionType: error.exception_type ?? "",
    stack: error.stack ?? "",
    violations: error.violations ?? [],
    ...(error.partial_result !== undefined && {
      partialResult: fromJson(ValueSchema, error.partial_result),
      nonFinite: [...(error.non_finite ?? [])],
    }),
  });
}
