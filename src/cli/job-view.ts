import type { JobEvent } from "../../gen/ts/pluginrunner/v1/job_event_pb.ts";
import type { Job } from "../../gen/ts/pluginrunner/v1/job_pb.ts";
import { eventToJson, jobToJson } from "../grpc/client-numbers.ts";
import { jsonText } from "../util/json-text.ts";
import { advance, eventLines, jobLine, percent, type Step, stepBar, stepLine } from "./job-lines.ts";
import { LiveArea } from "./live-area.ts";
import { isTerminal, print } from "./terminal.ts";
import type { Io } from "./verb.ts";

/** Shows a job while it runs. */
export interface JobView extends Disposable {
  snapshot(job: Job): Promise<void>;
  event(event: JobEvent): Promise<void>;
  /** Something about the watching itself. */
  notice(text: string): void;
}

/** JSON Lines on standard output, or on standard error bars on a terminal and plain lines elsewhere. */
export function jobView(io: Io, json: boolean): JobView {
  if (json) return jsonView(io);
  return isTerminal(io.stderr) ? barsView(io) : linesView(io);
}

/** A snapshot or an event a line, in Protobuf's JSON mapping. */
function jsonView({ stdout, stderr }: Io): JobView {
  return {
    snapshot: (job) => print(stdout, jsonText({ snapshot: jobToJson(job) })),
    event: (event) => print(stdout, jsonText({ event: eventToJson(event) })),
    notice: (text) => stderr.write(`${text}\n`),
    [Symbol.dispose]: () => {},
  };
}

/** Progress is a line whenever its whole percentage changes. */
function linesView({ stderr }: Io): JobView {
  const steps = new Map<string, Step>();
  return {
    snapshot: (job) => print(stderr, jobLine(job)),
    event: async (event) => {
      for (const line of eventLines(event)) await print(stderr, line);
      if (event.payload.case !== "progress") return;
      const { value } = event.payload;
      const before = steps.get(value.step);
      const step = advance(before, value, event);
      steps.set(value.step, step);
      if (before === undefined || percent(before.progress) !== percent(value)) await print(stderr, stepLine(step));
    },
    notice: (text) => stderr.write(`${text}\n`),
    [Symbol.dispose]: () => {},
  };
}

/** Everything scrolls but the bars, one for each step, which stay at the bottom. */
function barsView({ stderr }: Io): JobView {
  const steps = new Map<string, Step>();
  const area = new LiveArea(stderr, () => {
    const nameWidth = Math.max(0, ...[...steps.keys()].map((name) => (name || "progress").length));
    return [...steps.values()].map((step) => stepBar(step, nameWidth));
  });
  return {
    snapshot: async (job) => area.print(jobLine(job)),
    event: async (event) => {
      const lines = eventLines(event);
      if (lines.length > 0) area.print(...lines);
      if (event.payload.case !== "progress") return;
      const { value } = event.payload;
      steps.set(value.step, advance(steps.get(value.step), value, event));
      area.update();
    },
    notice: (text) => area.print(text),
    [Symbol.dispose]: () => area[Symbol.dispose](),
  };
}
