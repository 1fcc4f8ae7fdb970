import { LineSplitter } from "../util/lines.ts";
import type { EventRecord } from "../worker/messages.ts";
import type { EventsFile } from "./events-file.ts";

/** A result's line holds more than the result, and other records need room even where no large result is allowed. */
const roomBytes = 1024 * 1024;

const outputTypes: readonly string[] = ["progress", "metrics", "log"];

/** Copies the child's own events to the events file: those that a child may say, and as many as there is room for. */
export class ChildEvents {
  readonly #lines: LineSplitter;
  readonly #events: EventsFile;
  #outcome: string | undefined;

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

  #take(line: string): void {
    const type = typeOf(line);
    if (outputTypes.includes(type)) this.#events.appendOutput([line]);
    else if (type === "artifact") this.#events.appendLine(line);
    else if (type === "result" || type === "error") this.#outcome ??= line;
    else process.stderr.write("The child wrote something that is no event of its own; it is ignored.\n");
  }
}

function typeOf(line: string): string {
  try {
    const record: EventRecord = JSON.parse(line);
    return record.type;
  } catch {
    return "";
  }
}
