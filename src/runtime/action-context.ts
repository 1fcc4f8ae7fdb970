import { AsyncResource } from "node:async_hooks";
import { shownText, wellFormed } from "../util/shown-text.ts";
import type { EventRecord } from "../worker/messages.ts";
import { artifactArguments, numberArgument, objectArgument, pathArgument, textArgument } from "./context-arguments.ts";
import { encodeFields, pointersOf } from "./encode.ts";
import type { RunDirectory } from "./run-directory.ts";

/** How an action speaks with whoever runs it. Every member may be taken out by destructuring. */
export interface ActionContext {
  /** Aborts when the run is cancelled or its time is up: hand it on to whatever waits. */
  readonly signal: AbortSignal;
  /** Whether the run is cancelled. */
  readonly cancelled: boolean;
  /** Throws when the run is cancelled; let the exception end the action. */
  readonly throwIfCancelled: () => void;
  /**
   * Says how far the action is: `current` of `total`, from 0 on. Throws RangeError unless 0 ≤ current ≤ total and
   * total > 0. Of progress that comes in quick succession the newest of each step is kept.
   */
  readonly setProgress: (current: number, total: number, options?: ProgressOptions) => void;
  /** Reports measurements by name. NaN and infinities stay numbers; what JSON cannot carry becomes text. */
  readonly setMetrics: (values: object, step?: string) => void;
  /** Writes a line to the run's log. */
  readonly log: (message: string, options?: LogOptions) => void;
  /** The same by level. */
  readonly logger: Logger;
  /**
   * Makes a file known: keeps a copy of what is in it now, and returns the copy's `file://` URI. `path` is relative to
   * `workDir` or absolute. The copy of a job stays as long as the job's record, that of a run as long as the service
   * says: a day by default. The run waits for it. Rejects when the file cannot be read.
   */
  readonly artifact: (path: string | URL, options?: ArtifactOptions) => Promise<string>;
  /** The environment variables of the plugin's configuration and of the request. */
  readonly env: Readonly<Record<string, string>>;
  /** The job's id; for a run the id that the request gave, or empty. */
  readonly jobId: string;
  /**
   * The absolute path of this run's own directory. It exists, is empty at first, and is removed when the run ends: what is
   * to stay is made known with `artifact`.
   */
  readonly workDir: string;
}

export interface ProgressOptions {
  /** What is being counted, when an action has several steps. Default: empty. */
  readonly step?: string;
  /** What is being done. Default: empty. */
  readonly message?: string;
}

export type LogLevel = "debug" | "info" | "warn" | "error";

export interface LogOptions {
  /** Default: info. */
  readonly level?: LogLevel;
  /** What a program may want to know of it. */
  readonly fields?: object;
}

/** Writes lines to the run's log, one function a level. */
export type Logger = Readonly<Record<LogLevel, (message: string, fields?: object) => void>>;

export interface ArtifactOptions {
  /** A name for people, unique within the job. Default: the file's name. */
  readonly name?: string;
  /** The IANA media type, for example "image/png". Default: empty. */
  readonly mediaType?: string;
  /** What else there is to know of it. */
  readonly metadata?: object;
}

/** Takes what an action reports. */
export type EventSink = (record: EventRecord) => void;

/** What a context is made of. */
export interface ContextOptions {
  readonly env: Readonly<Record<string, string>>;
  readonly jobId: string;
  readonly directory: RunDirectory;
  readonly sink: EventSink;
  readonly signal: AbortSignal;
}

/** The name of a level in events. */
function levelName(level: string): string {
  return level.toLowerCase() === "warn" ? "WARNING" : level.toUpperCase();
}

/** The context of one run. It is made for every run, so it holds nothing until it is asked for. */
export class RunContext implements ActionContext {
  readonly #options: ContextOptions;
  #artifacts: Promise<string>[] | undefined;
  #signal: AbortSignal | undefined;

  constructor(options: ContextOptions) {
    this.#options = options;
  }

  get signal(): AbortSignal {
    this.#signal ??= signalOfRun(this.#options.signal);
    return this.#signal;
  }

  get cancelled(): boolean {
    return this.#options.signal.aborted;
  }

  get env(): Readonly<Record<string, string>> {
    return this.#options.env;
  }

  get jobId(): string {
    return this.#options.jobId;
  }

  get workDir(): string {
    return this.#options.directory.path;
  }

  get throwIfCancelled(): () => void {
    return () => this.#options.signal.throwIfAborted();
  }

  get setProgress(): ActionContext["setProgress"] {
    return (given, of, options = {}) => {
      const current = numberArgument("ctx.setProgress: current", given);
      const total = numberArgument("ctx.setProgress: total", of);
      objectArgument("ctx.setProgress: options", options, '{ step: "train", message: "…" }');
      const step = textArgument("ctx.setProgress: step", options.step);
      const message = textArgument("ctx.setProgress: message", options.message);
      if (!(total > 0 && Number.isFinite(total))) throw new RangeError(`total must be more than 0, not ${total}.`);
      if (!(current >= 0 && current <= total)) throw new RangeError(`current must be 0 to ${total}, not ${current}.`);
      this.#options.sink({ type: "progress", time: now(), step, current, total, message });
    };
  }

  get setMetrics(): ActionContext["setMetrics"] {
    return (values, category) => {
      const fields = encodeFields(objectArgument("ctx.setMetrics: values", values, "{ loss: 0.5 }"));
      const step = textArgument("ctx.setMetrics: step", category);
      this.#options.sink({ type: "metrics", time: now(), step, values: fields.value, ...pointersOf(fields) });
    };
  }

  get log(): ActionContext["log"] {
    return (message, options = {}) => {
      objectArgument("ctx.log: options", options, '{ level: "warn", fields: {} }');
      this.#log("ctx.log", options.level ?? "info", message, options.fields ?? {});
    };
  }

  get logger(): Logger {
    return {
      debug: (message, fields = {}) => this.#log("ctx.logger.debug", "debug", message, fields),
      info: (message, fields = {}) => this.#log("ctx.logger.info", "info", message, fields),
      warn: (message, fields = {}) => this.#log("ctx.logger.warn", "warn", message, fields),
      error: (message, fields = {}) => this.#log("ctx.logger.error", "error", message, fields),
    };
  }

  get artifact(): ActionContext["artifact"] {
    return (path, options = {}) => {
      const made = this.#artifact(path, options);
      this.#artifacts ??= [];
      this.#artifacts.push(made);
      made.catch(() => {}); // the run waits for it, and rejects as it does
      return made;
    };
  }

  /** The artifacts that are still being made known; undefined when there was none. */
  get artifacts(): readonly Promise<string>[] | undefined {
    return this.#artifacts;
  }

  #log(member: string, given: string, said: unknown, fields: object): void {
    const level = levelName(textArgument(`${member}: level`, given));
    const message = typeof said === "string" ? wellFormed(said) : shownText(said);
    const record = { source: "LOGGER", level, message } as const;
    const encoded = encodeFields(objectArgument(`${member}: fields`, fields, "{ epoch: 3 }"));
    this.#options.sink({ type: "log", time: now(), ...record, fields: encoded.value, ...pointersOf(encoded) });
  }

  async #artifact(path: string | URL, options: ArtifactOptions): Promise<string> {
    const { recordArtifact } = await import("./record-artifact.ts"); // most runs have none
    objectArgument("ctx.artifact: options", options, '{ name: "model" }');
    const file = pathArgument("ctx.artifact: path", path);
    const record = await recordArtifact(this.#options.directory, file, artifactArguments(options));
    this.#options.sink({ time: now(), ...record });
    return record.uri;
  }
}

/** The same signal, whose listeners are called as code of this run: whatever they throw is its own. */
function signalOfRun(outer: AbortSignal): AbortSignal {
  if (outer.aborted) return outer;
  const own = new AbortController();
  const abort = AsyncResource.bind(() => own.abort(outer.reason));
  outer.addEventListener("abort", abort, { once: true });
  return own.signal;
}

function now(): number {
  return Date.now() / 1000;
}
