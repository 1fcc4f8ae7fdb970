import type { JsonObject } from "@bufbuild/protobuf";
import { timestampMs } from "@bufbuild/protobuf/wkt";
import type { JobEvent, JobLog } from "../../gen/ts/pluginrunner/v1/job_event_pb.ts";
import { LogSource } from "../../gen/ts/pluginrunner/v1/job_event_pb.ts";
import type { Job, JobProgress } from "../../gen/ts/pluginrunner/v1/job_pb.ts";
import { stateName } from "../job/job-state.ts";
import { duration } from "./format.ts";
import { readableLine } from "./readable-json.ts";
import { neutral } from "./terminal.ts";

/** How far a step is, and since when. */
export interface Step {
  progress: JobProgress;
  /** When it was first heard of, and how far it was then. */
  startMs: number;
  startedAt: number;
  nowMs: number;
}

/** A job in one line. */
export function jobLine({ jobId, plugin, action, state, stateDetail }: Job): string {
  return neutral(`job ${jobId}: ${plugin} ${action}, ${stateName(state)}${stateDetail && `, ${stateDetail}`}`);
}

/** An event as lines that scroll by: progress, result and error, which are shown in another way, have none. */
export function eventLines({ payload }: JobEvent): string[] {
  switch (payload.case) {
    case "stateChanged": {
      const { state, detail } = payload.value;
      return [neutral(`${stateName(state)}${detail && `: ${detail}`}`)];
    }
    case "metrics": {
      const { step, values } = payload.value;
      return [neutral(["metrics", step, ...fieldsOf(values)].filter((word) => word !== "").join(" "))];
    }
    case "log":
      return logLines(payload.value);
    case "artifact": {
      const { name, uri, sizeBytes } = payload.value;
      return [neutral(`artifact ${name}: ${uri} (${sizeBytes} bytes)`)];
    }
    default:
      return [];
  }
}

/** The step after another word about it. */
export function advance(step: Step | undefined, progress: JobProgress, event: JobEvent): Step {
  const nowMs = event.eventTime ? timestampMs(event.eventTime) : Date.now();
  return { startMs: nowMs, startedAt: progress.current, ...step, progress, nowMs };
}

/** A step as one line of text. */
export function stepLine(step: Step): string {
  const { progress } = step;
  const words = [progress.step || "progress", percent(progress), count(progress), rest(step), progress.message];
  return neutral(words.filter((word) => word !== "").join("  ")).replaceAll("\n", " ");
}

/** A step as a bar; `nameWidth` aligns the bars of several steps. */
export function stepBar(step: Step, nameWidth: number): string {
  const { progress } = step;
  const full = Math.round(share(progress) * barWidth);
  const bar = "█".repeat(full) + "░".repeat(barWidth - full);
  const name = neutral(progress.step || "progress").padEnd(nameWidth);
  const words = [`${name} ${bar} ${percent(progress)}`, count(progress), rest(step), neutral(progress.message)];
  return words
    .filter((word) => word !== "")
    .join("  ")
    .replaceAll("\n", " ");
}

const barWidth = 24;

export function percent(progress: JobProgress): string {
  return `${Math.floor(share(progress) * 100)}%`.padStart(4);
}

function share({ current, total }: JobProgress): number {
  return total > 0 ? Math.min(1, Math.max(0, current / total)) : 0;
}

function count({ current, total }: JobProgress): string {
  const round = (value: number) => String(Math.round(value * 100) / 100);
  return total === 1 || total === 100 ? "" : `${round(current)}/${round(total)}`;
}

/** The time still needed at the pace so far, or the time that it took. */
function rest({ progress, startMs, startedAt, nowMs }: Step): string {
  const done = progress.current - startedAt;
  const took = nowMs - startMs;
  if (progress.current >= progress.total) return took > 0 ? `in ${duration(took)}` : "";
  return done > 0 && took > 0 ? `ETA ${duration(((progress.total - progress.current) * took) / done)}` : "";
}

const prefixes: Partial<Record<LogSource, string>> = {
  [LogSource.SERVICE]: "service: ",
  [LogSource.BUILD]: "build: ",
};

function logLines({ source, level, message, fields }: JobLog): string[] {
  const prefix = source === LogSource.LOGGER ? `${level} ` : (prefixes[source] ?? "");
  const words = [prefix + afterReturn(message), ...fieldsOf(fields)];
  return neutral(words.join(" ")).split("\n");
}

/** A program that redraws its line sends carriage returns: what counts is what would stand there in the end. */
function afterReturn(message: string): string {
  return message.replace(/\r+$/, "").replaceAll(/^.*\r/gm, "");
}

function fieldsOf(fields: JsonObject | undefined): string[] {
  return Object.entries(fields ?? {}).map(
    ([name, value]) => `${name}=${typeof value === "string" ? value : readableLine(value)}`,
  );
}
