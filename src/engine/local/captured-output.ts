import { AsyncLocalStorage } from "node:async_hooks";
import { OutputLines } from "../../worker/output-lines.ts";
import type { Task } from "../engine.ts";

type StreamName = "stdout" | "stderr";

const running = new AsyncLocalStorage<CapturedOutput>();

/** What one run prints. The lines are cut only once there are any: most runs print nothing. */
export class CapturedOutput {
  readonly #output: NonNullable<Task["output"]>;
  #lines: Map<StreamName, OutputLines> | undefined;

  constructor(output: NonNullable<Task["output"]>) {
    this.#output = output;
  }

  /**
   * Calls code of a plugin so that what it prints goes to its run, and not into the service's own output; also what it
   * prints later, out of timers and promises that it left behind.
   */
  during<T>(call: () => T): T {
    return running.run(this, call);
  }

  push(name: StreamName, chunk: Uint8Array | string): void {
    this.#linesOf(name).push(Buffer.from(chunk));
  }

  /** Ends the run: what it printed without the end of a line is a line. */
  flush(): void {
    for (const lines of this.#lines?.values() ?? []) lines.flush();
  }

  #linesOf(name: StreamName): OutputLines {
    this.#lines ??= new Map();
    const known = this.#lines.get(name);
    if (known) return known;
    const source = name === "stdout" ? "STDOUT" : "STDERR";
    const lines = new OutputLines((message) => {
      outsideOfRun(() => this.#output({ timeMs: Date.now(), source, level: "", message }));
    });
    this.#lines.set(name, lines);
    return lines;
  }
}

/** Calls what belongs to the service out of a run: a log that writes to standard error must not come back to the run. */
export function outsideOfRun(call: () => void): void {
  running.exit(call);
}

/** Leads what plugins print to their runs, until the function that it returns is called. */
export function captureOutput(): () => void {
  const restore = [capture("stdout"), capture("stderr")];
  return () => {
    for (const each of restore) each();
  };
}

function capture(name: StreamName): () => void {
  const stream = process[name];
  const { write } = stream;
  stream.write = (chunk: Uint8Array | string, ...rest: unknown[]) => {
    const captured = running.getStore();
    if (captured === undefined) return Reflect.apply(write, stream, [chunk, ...rest]);
    captured.push(name, chunk);
    const written = rest.at(-1);
    if (typeof written === "function") process.nextTick(written);
    return true;
  };
  return () => {
    stream.write = write;
  };
}
