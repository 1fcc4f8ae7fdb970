import { jsonText } from "../util/json-text.ts";
import type { EventRecord, LogSourceName } from "../worker/messages.ts";
import { HeldReports, type Report } from "./held-reports.ts";
import type { Dropped, PatientFile } from "./patient-file.ts";

/**
 * Of the record's events, either kind may fill so much while there is room, and both together: the rest is for states,
 * artifacts, how the job ended, and the newest reports of a job that goes on beyond its limits.
 */
const shareOfAKind = 0.8;
const shareOfBoth = 0.97;

/** How much may wait while the file cannot be written: what the job prints or logs, and what it reports. */
const outputRoom = 1024 * 1024;
const reportRoom = 16 * outputRoom;

/** Beyond its limits, a job's newest reports are written ever more rarely the longer it runs, some hundred times a week. */
const pauseShare = 0.02;
const shortestPauseMs = 1000;

/**
 * A job's record: writes events up to the job's limits, one for output (lines and logs), one for reports (progress and
 * metrics), so that neither crowds out the other. What is left out is counted where it is left out. Of reports beyond their
 * limit the newest progress of each step and the newest value of each metric are written at growing intervals, and at
 * the end. Times never go back.
 */
export class Journal {
  readonly #file: PatientFile;
  readonly #limits: string;
  readonly #output: Share;
  readonly #reports: Share;
  readonly #held = new HeldReports();
  readonly #started = performance.now();
  #room: number;
  #last = 0;
  #flushed = this.#started;
  #said = this.#started;
  #timer: NodeJS.Timeout | undefined;
  #gap = 0;
  #lines = 0;
  #bytes = 0;

  constructor(file: PatientFile, limits: { bytes: number; events: number }) {
    this.#file = file;
    const events = Math.floor(limits.events * shareOfAKind);
    this.#limits = `${limits.bytes} bytes or ${events} events`;
    this.#room = Math.floor(limits.events * shareOfBoth);
    this.#output = new Share(limits.bytes, events);
    this.#reports = new Share(limits.bytes, events);
  }

  /** Whether all further output is left out. */
  get full(): boolean {
    return this.#output.spent;
  }

  /** A line of output, as a record of now. */
  line(source: LogSourceName, message: string, level = ""): string {
    const time = this.#now(Date.now() / 1000);
    return `${JSON.stringify({ type: "log", time, source, level, message, fields: {} })}\n`;
  }

  /** Appends lines of output, or counts them. */
  output(lines: readonly string[]): void {
    const kept: string[] = [];
    for (const line of lines) {
      const bytes = Buffer.byteLength(line);
      if (this.#output.takes(bytes, this.#room)) {
        this.#room--;
        kept.push(line);
      } else {
        if (kept.length > 0) this.#append(kept.splice(0), outputRoom);
        this.leaveOut(1, bytes);
      }
    }
    if (kept.length > 0) this.#append(kept, outputRoom);
  }

  /** Counts output that is not written. */
  leaveOut(lines: number, bytes: number): void {
    if (!this.#output.spent) {
      this.#output.spent = true;
      this.#say(`The job's output has reached its limit of ${this.#limits}: what follows is left out.`);
      this.#said = performance.now();
    }
    this.#gap += lines;
    this.#lines += lines;
    this.#bytes += bytes;
  }

  /** Appends a record of the job's own log, or counts it. */
  log(record: EventRecord, text: string): void {
    this.output([this.#timed(record, text)]);
  }

  /** Appends progress or metrics, or holds what is newest. */
  report(record: Report, text: string): void {
    if (this.#reports.takes(text.length, this.#room)) {
      this.#room--;
      this.#markGap();
      this.#append([this.#timed(record, text)], reportRoom);
      return;
    }
    if (!this.#reports.spent) {
      this.#reports.spent = true;
      const more = "of what follows, the newest is written at growing intervals, and at the end.";
      this.#say(`The job's progress and metrics have reached their limit of ${this.#limits}: ${more}`);
    }
    const due = this.#held.hold(record, text.length);
    if (due) this.#append([this.#timed(due)]);
    const waits = this.#flushed + this.#pause() - performance.now();
    if (waits <= 0) this.flush();
    else this.#timer ??= setTimeout(() => this.flush(), waits);
  }

  /** Appends what has no limit: artifacts, how the job ended, and what the supervisor says. */
  always(record: EventRecord, text?: string): void {
    this.flush();
    if (record.type === "artifact" || this.#gap < this.#lines) this.#markGap(true);
    this.#append([this.#timed(record, text)]);
  }

  /** Writes the reports that are held. */
  flush(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    this.#flushed = performance.now();
    if (this.#held.empty) return;
    this.#markGap();
    this.#append(this.#held.take().map((report) => this.#timed(report)));
  }

  /** Writes what is held, and how much was left out. */
  close(): void {
    this.flush();
    if (this.#gap < this.#lines) this.#markGap(true);
    if (this.full) this.#say(`Left out ${this.#lines} lines of output in all, ${this.#bytes} bytes.`);
    if (this.#held.leftOut > 0) this.#say(`Left out ${this.#held.leftOut} older values of progress and metrics.`);
  }

  /** Warns of something that the job may do without end: it counts as output. */
  warn(message: string): void {
    this.output([this.line("SERVICE", message, "WARNING")]);
  }

  /** Says what a disk without room had to leave out. */
  sayDropped({ lines, bytes, why }: Dropped): void {
    this.#say(`Left out ${lines} lines of output, ${bytes} bytes: the job's events could not be written (${why}).`);
  }

  #say(message: string): void {
    this.#append([this.line("SERVICE", message, "WARNING")]);
  }

  #append(lines: readonly string[], room?: number): void {
    const bytes = lines.map((line) => Buffer.from(line));
    this.#file.append(bytes, room);
  }

  /** Says how much output was left out at this place; not before every one of a quick succession of reports. */
  #markGap(atOnce = false): void {
    if (this.#gap === 0 || (!atOnce && performance.now() < this.#said + this.#pause())) return;
    this.#say(`Left out ${this.#gap} lines of output here.`);
    this.#gap = 0;
    this.#said = performance.now();
  }

  #pause(): number {
    return Math.max(shortestPauseMs, (this.#flushed - this.#started) * pauseShare);
  }

  #now(time: number): number {
    this.#last = Math.max(this.#last, Math.min(time, Date.now() / 1000));
    return this.#last;
  }

  /** The record's line, at no earlier time than the one before it. */
  #timed(record: EventRecord, text?: string): string {
    const time = this.#now(record.time);
    return `${text !== undefined && time === record.time ? text : jsonText({ ...record, time })}\n`;
  }
}

/** What one kind of records may still fill. */
class Share {
  spent = false;
  #bytes: number;
  #events: number;

  constructor(bytes: number, events: number) {
    this.#bytes = bytes;
    this.#events = events;
  }

  /** Whether a record of so many bytes has a place in it; then it is taken. */
  takes(bytes: number, room: number): boolean {
    if (this.spent || bytes > this.#bytes || this.#events === 0 || room === 0) return false;
    this.#bytes -= bytes;
    this.#events--;
    return true;
  }
}
