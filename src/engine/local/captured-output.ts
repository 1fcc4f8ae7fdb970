import { type CodeOutput, currentRun, outsideOfRun } from "../../runtime/code-run.ts";
import { OutputLines } from "../../worker/output-lines.ts";
import type { Task } from "../engine.ts";

type StreamName = "stdout" | "stderr";

/**
 * What one run prints, also later, out of timers and promises that it left behind. The lines are cut only once there are
 * any: most runs print nothing.
 */
export class CapturedOutput implements CodeOutput {
  readonly #output: NonNullable<Task["output"]>;
  #lines: Map<StreamName, OutputLines> | undefined;

  constructor(output: NonNullable<Task["output"]>) {
    this.#output = output;
  }

  push(name: StreamName, chunk: Uint8Array | string): void {
    this.#linesOf(name).push(Buffer.from(chunk));
  }

  flush(): void {
    for (const lines of this.#lines?.values() ?? []) lines.flush();
  }

  #linesOf(name: StreamName): OutputLines {
    this.#lines ??= new Map();
    const known = this.#lines.get(name);
    if (known) return known;
    const source = name === "stdout" ? "STDOUT" : "STDERR";
    const lines = new OutputLines((message) => {
      // A log of the service that writes to standard error must not come back to the run.
      outsideOfRun(() => this.#output({ timeMs: Date.now(), source, level: "", message }));
    });
    this.#lines.set(name, lines);
    return lines;
  }
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
    const captured = currentRun()?.output;
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
