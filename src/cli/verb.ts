import type { Readable, Writable } from "node:stream";
import type { Option } from "./option.ts";

/** What a verb sees of the process around it. */
export interface Io {
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly stdin: Readable;
  /** For results. */
  readonly stdout: Writable;
  /** For everything else: progress, notices, errors. */
  readonly stderr: Writable;
  /** Aborts on the first SIGINT or SIGTERM. */
  readonly signal: AbortSignal;
  /** Aborts on the second one: the process ends in a moment, whatever is under way. */
  readonly urgent: AbortSignal;
}

/** One verb of the command line. */
export interface Verb {
  /** What follows the verb, for example `PLUGIN ACTION`. */
  readonly usage: string;
  readonly description: string;
  readonly options: readonly Option[];
  /** Arguments after the program's name, and what they do. */
  readonly examples: readonly (readonly [args: string, meaning: string])[];
  /** Returns the exit code. Throws UsageError for arguments that it cannot use. */
  run(args: readonly string[], io: Io): Promise<number>;
}
