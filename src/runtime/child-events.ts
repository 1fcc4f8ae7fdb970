import { isObject } from "../util/is-object.ts";
import { LineSplitter } from "../util/lines.ts";
import type { EventRecord, WithinMessage } from "../worker/messages.ts";
import type { Journal } from "./journal.ts";
import type { OutputLog } from "./output-log.ts";
import { type PrintedTo, printedBytes, printedTo } from "./printed-frame.ts";

/** A result's line holds more than the result, and other records need room even where no large result is allowed. */
const roomBytes = 1024 * 1024;

/** Hands on what the child says in its own pipe: its events, those that a child may say, and what JavaScript prints. */
export class ChildEvents {
  readonly #lines: LineSplitter;
  readonly #journal: Journal;
  readonly #printed: Readonly<Record<PrintedTo, OutputLog>>;
  #waiting: Buffer[] = [];
  #turn: NodeJS.Immediate | undefined;
  #outcome: { record: EventRecord; text?: string } | undefined;
  /** Called when the child begins to load code, and when it has. */
  onWithin: (message: WithinMessage) => void = () => {};

  constructor(resultLimit: number, journal: Journal, printed: Readonly<Record<PrintedTo, OutputLog>>) {
    this.#lines = new LineSplitter(resultLimit + roomBytes);
    this.#journal = journal;
    this.#printed = printed;
  }

  /** Takes a chunk once the output's own pipes have been read: what a program printed before it comes first. */
  push(chunk: Buffer): void {
    this.#waiting.push(chunk);
    this.#turn ??= setImmediate(() => this.#takeAll());
  }

  /** Appends how the child said that it ended: after the output that came before it through other pipes. */
  end(): void {
    if (this.#outcome !== undefined) this.#journal.always(this.#outcome.record, this.#outcome.text);
  }

  /** Says how the child ended in its place, unless it has done so. */
  conclude(record: EventRecord): void {
    this.#outcome ??= { record };
  }

  /** Whether the child had been told to stop before it said how it ended. */
  get stopped(): boolean {
    const record = this.#outcome?.record;
    return record !== undefined && "stopped" in record && record.stopped === true;
  }

  /** Whether the child has said how it ended. */
  get ended(): boolean {
    return this.#outcome !== undefined;
  }

  /** Takes what waits. */
  flush(): void {
    clearImmediate(this.#turn);
    this.#takeAll();
  }

  #takeAll(): void {
    this.#turn = undefined;
    const waiting = this.#waiting;
    this.#waiting = [];
    for (const chunk of waiting) this.#takeLines(this.#lines.push(chunk));
  }

  /** What was printed to one stream in a row is handed on as a whole. */
  #takeLines(lines: readonly Buffer[]): void {
    let last: PrintedTo | undefined;
    let row: Buffer[] = [];
    const handOn = () => {
      if (last !== undefined) this.#printed[last].push(Buffer.concat(row));
      row = [];
    };
    for (const line of lines) {
      const stream = printedTo(line);
      if (stream !== last) handOn();
      last = stream;
      if (stream === undefined) this.#take(line);
      else row.push(printedBytes(line));
    }
    handOn();
  }

  #take(line: Buffer): void {
    const text = line.toString("utf8");
    const record = parse(text);
    if (record?.type === "log") this.#journal.log(record, text);
    else if (record?.type === "progress" || record?.type === "metrics") this.#journal.report(record, text);
    else if (record?.type === "within") this.onWithin(record);
    else if (record?.type === "artifact") this.#journal.always(record, text);
    else if (record?.type === "result" || record?.type === "error") this.#outcome ??= { record, text };
    else this.#journal.warn("Dropped a record of the job: it is no event of its own.");
  }
}

function parse(text: string): EventRecord | (WithinMessage & { time: number }) | undefined {
  try {
    const record: EventRecord | (WithinMessage & { time: number }) = JSON.parse(text);
    return isObject(record) && typeof record.time === "number" ? record : undefined;
  } catch {
    return undefined;
  }
}
