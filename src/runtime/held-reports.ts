import type { JsonObject } from "@bufbuild/protobuf";
import type { EventRecord } from "../worker/messages.ts";

/** Progress or metrics. */
export type Report = Extract<EventRecord, { type: "progress" | "metrics" }>;
type Metrics = Extract<Report, { type: "metrics" }>;

/** So many steps, and so much of the metrics of each, are held. */
const maxSteps = 1000;
const maxBytes = 256 * 1024;

/** Of reports that a job's record has no room for: the newest progress of each step, and the newest value of each metric. */
export class HeldReports {
  #held = new Map<string, { report: Report; bytes: number }>();
  #leftOut = 0;

  get empty(): boolean {
    return this.#held.size === 0;
  }

  /** How many values will never be written. */
  get leftOut(): number {
    return this.#leftOut;
  }

  /** Holds a report in place of what it replaces. Returns what has to be written now, since it would be too much. */
  hold(report: Report, bytes: number): Report | undefined {
    const key = `${report.type} ${report.step}`;
    const before = this.#held.get(key);
    if (before === undefined && this.#held.size >= maxSteps) {
      this.#leftOut++;
      return undefined;
    }
    if (before !== undefined) this.#leftOut++;
    if (before?.report.type !== "metrics" || report.type !== "metrics" || replaces(report, before.report)) {
      this.#held.set(key, { report, bytes });
      return undefined;
    }
    const isTooMuch = before.bytes + bytes > maxBytes;
    this.#held.set(
      key,
      isTooMuch ? { report, bytes } : { report: merged(before.report, report), bytes: before.bytes + bytes },
    );
    return isTooMuch ? before.report : undefined;
  }

  /** All that is held, which is forgotten. */
  take(): Report[] {
    const reports = [...this.#held.values()].map(({ report }) => report);
    this.#held = new Map();
    return reports;
  }
}

function replaces(newer: Metrics, older: Metrics): boolean {
  return Object.keys(older.values).every((name) => Object.hasOwn(newer.values, name));
}

function merged(older: Metrics, newer: Metrics): Metrics {
  const kept = Object.entries(older.values).filter(([name]) => !Object.hasOwn(newer.values, name));
  const values: JsonObject = Object.fromEntries([...kept, ...Object.entries(newer.values)]);
  const names = new Set(kept.map(([name]) => name.replaceAll("~", "~0").replaceAll("/", "~1")));
  const pointers = (older.non_finite ?? []).filter((pointer) => names.has(pointer.split("/")[1] ?? ""));
  const nonFinite = [...pointers, ...(newer.non_finite ?? [])];
  return { ...newer, values, ...(nonFinite.length > 0 && { non_finite: nonFinite }) };
}
