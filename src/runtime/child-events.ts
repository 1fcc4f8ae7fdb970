import { LineSplitter } from "../util/lines.ts";
import type { EventRecord } from "../worker/messages.ts";
import { type EventsFile, outputRoom, reportRoom } from "./events-file.ts";

/** A result's line holds more than the result, and other records need room even where no large result is allowed. */
const roomBytes = 1024 * 1024;

const outputTypes: readonly string[] = ["progress", "metrics", "log"];

/** Copies the child's own events to the events file: those that a child may say, and as many as there is room for. */
export class ChildEvents {
  readonly #lines: LineSplitter;
  readonly #events: EventsFile;
  #outcome: string | undefined;
  #stopped = false;

  constructor(resultLimit: number, events: EventsFile) {
    this.#lines = new LineSplitter(resultLimit + roomBytes);
    this.#events = events;
  }

  push(chunk: Buffer): void {
    for (const line of this.#lines.push(chunk)) this.#take(line.toString("utf8"));
  }

  /** Appends how the child said that it ended: after the output that came before it through other pipes. */
  end(): void {
    if (this.#outcome !== undefined) this.#events.appendLine(this.#outcome);
  }

  /** Whether the child had been told to stop before it said how it ended. */
  get stopped(): boolean {
    return this.#stopped;
  }

  /** Whether the child has said how it ended. */
  get ended(): boolean {
    return this.#outcome !== undefined;
  }

  #take(line: string): void {
    const { type, stopped } = read(line);
    if (outputTypes.includes(type)) this.#events.appendOutput([line], type === "log" ? outputRoom : reportRoom);
    else if (type === "artifact") this.#events.appendLine(line);
    else if (type === "result" || type === "error") this.#end(line, stopped);
    else this.#events.sayOutput("Dropped a record of the job: it is no event of its own.");
  }

  #end(line: string, stopped: boolean): void {
    if (this.#outcome !== undefined) return;
    this.#outcome = line;
    this.#stopped = stopped;
  }
}

function read(line: string): { type: string; stopped: boolean } {
  try {
    const record: EventRecord = JSON.parse(line);
    return { type: record.type, stopped: "stopped" in record && record.stopped === true };
  } catch {
    return { type: "", stopped: false };
  }
}
