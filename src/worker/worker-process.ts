import { fromErrorRecord, PluginRunnerError } from "../errors.ts";
import { otherProtocol } from "../runtime/protocol.ts";
import { directoryGone } from "../storage-error.ts";
import { jsonText } from "../util/json-text.ts";
import type { Log } from "../util/log.ts";
import { type LateLoad, needsLate } from "./late-load.ts";
import {
  type Binding,
  type Language,
  protocolVersion,
  type WithinMessage,
  type WorkerAnswer,
  type WorkerInput,
  type WorkerRequest,
  type WorkerResult,
} from "./messages.ts";
import { type OutputLine, OutputLines } from "./output-lines.ts";
import { type Exit, WorkerChild, type WorkerCommand } from "./worker-child.ts";
import { parseOutput, type Ready } from "./worker-output.ts";

const readyTimeoutMs = 60_000;

/** A request that certainly never reached plugin code, because its worker ended before: it may go to another one. */
export class NotStarted extends Error {}

/** Takes a line that a request's code wrote. */
export type TakeLine = (line: OutputLine) => void;

export interface BindOptions {
  /** Where the artifacts of runs stay. Default: with the run. */
  artifactsDir?: string;
  /** How long loading code may take, in seconds. Default: no limit. */
  loadSeconds?: number | undefined;
}

interface Pending {
  id: number;
  request: WorkerRequest;
  output: TakeLine | undefined;
  resolve(result: WorkerResult): void;
  reject(error: unknown): void;
  /** Set once the caller is gone and the worker was told. */
  cancelled: boolean;
}

/**
 * A worker, as those who send it requests know it. Answers requests in order, so the first pending one is the one that runs. Owned by a pool, which
 * calls `end` or `kill`; `exited` resolves when the process is gone.
 */
export class WorkerProcess {
  readonly language: Language;
  readonly ready: Promise<void>;
  readonly exited: Promise<void>;
  /** Called when the worker has answered a request, also one whose caller is gone. */
  onAnswer: () => void = () => {};
  /** Called when the request that it is at was cancelled: it may take the grace to end. */
  onStuck: () => void = () => {};
  /** Set where the worker was killed because it did not get its code loaded. */
  late: LateLoad | undefined;
  readonly #child: WorkerChild;
  readonly #graceMs: number;
  readonly #log: Log;
  readonly #pending: Pending[] = [];
  #nextId = 1;
  readonly #lines = { STDOUT: this.#linesOf("STDOUT"), STDERR: this.#linesOf("STDERR") };
  /** Of the last request that was answered: its lines come by other pipes than its answer, and may come later. */
  #lastOutput: TakeLine | undefined;
  #isReady = false;
  #gone = false;
  #spent = false;
  #graceTimer: NodeJS.Timeout | undefined;
  /** Runs while the worker has to say another word within a time. */
  #withinTimer: NodeJS.Timeout | undefined;
  #ready = Promise.withResolvers<void>();
  /** What the request that it is at says when the worker is killed: how the process ended, where this is undefined. */
  #cause: PluginRunnerError | undefined;

  constructor(command: WorkerCommand, options: { cwd: string; graceMs: number; log: Log }) {
    this.language = command.language;
    this.#graceMs = options.graceMs;
    this.#log = options.log;
    this.#child = new WorkerChild(command, options.cwd, {
      said: (line) => this.#receive(parseOutput(line)),
      unreadable: (error) => this.#broke(error),
      printed: (source, chunk) => this.#lines[source].push(chunk),
      ended: (how) => this.#ended(how, options.cwd),
    });
    this.exited = this.#child.exited;
    this.ready = this.#ready.promise;
    const readyTimer = setTimeout(() => this.kill(), readyTimeoutMs);
    const isTold = () => clearTimeout(readyTimer);
    this.ready.then(isTold, isTold);
  }

  get pid(): number | undefined {
    return this.#child.pid;
  }

  /** How many requests it has not answered. */
  get load(): number {
    return this.#pending.length;
  }

  /** Whether it is at a request whose caller is gone. */
  get stuck(): boolean {
    return this.#pending[0]?.cancelled ?? false;
  }

  /** Whether it takes requests. */
  get alive(): boolean {
    return !this.#gone && !this.#spent;
  }

  /** Binds the worker to one plugin; to be called once, before the first request other than a scan. */
  bind(binding: Binding, workDir: string, { artifactsDir = "", loadSeconds }: BindOptions = {}): void {
    const limit = loadSeconds === undefined ? {} : { load_timeout_seconds: loadSeconds };
    this.#send({ type: "bind", binding, work_dir: workDir, artifacts_dir: artifactsDir, ...limit });
  }

  /**
   * Sends one request. When the signal aborts, the promise rejects with its reason at once, and the worker is told; it is
   * killed when it has not answered within the grace. Rejects with WORKER_LOST when the process ends while it handles
   * the request, and with `NotStarted` when it ends before. `output` gets what the request's code writes.
   */
  request(request: WorkerRequest, signal: AbortSignal, output?: TakeLine): Promise<WorkerResult> {
    if (!this.alive) return Promise.reject(new NotStarted());
    const id = this.#nextId++;
    const { promise, resolve, reject } = Promise.withResolvers<WorkerResult>();
    const pending: Pending = { id, request, output, resolve, reject, cancelled: false };
    const cancel = () => {
      pending.cancelled = true;
      reject(signal.reason);
      this.#send({ type: "cancel", id, grace_seconds: this.#graceMs / 1000 });
      this.#armGrace();
    };
    this.#pending.push(pending);
    this.#send({ ...request, id });
    signal.addEventListener("abort", cancel, { once: true });
    const forget = () => signal.removeEventListener("abort", cancel);
    promise.then(forget, forget);
    return promise;
  }

  /** Lets the worker finish what it has and exit; kills it when it has not within the grace. */
  end(): void {
    this.#child.close();
    this.#graceTimer ??= setTimeout(() => this.kill(), this.#graceMs);
  }

  /** Kills the worker and, on Linux, all that it started. The request that it is at rejects with `cause`, if that is given. */
  kill(cause?: PluginRunnerError): void {
    this.#cause ??= cause;
    this.#child.kill();
  }

  #send(message: WorkerInput): void {
    this.#child.write(`${jsonText(message)}\n`);
  }

  /** The process has the grace to answer the cancelled request that it is at. */
  #armGrace(): void {
    const head = this.#pending[0];
    if (!head?.cancelled || this.#graceTimer) return;
    clearTimeout(this.#withinTimer);
    this.#graceTimer = setTimeout(() => this.#killUnlessAnswered(), this.#graceMs);
    this.onStuck();
  }

  /** The answer may be there already, and the worker at the next request. */
  #killUnlessAnswered(): void {
    const timer = this.#graceTimer;
    this.#child.onceRead(() => {
      if (this.#graceTimer === timer) this.kill();
    });
  }

  #disarmGrace(): void {
    if (this.#child.closed) return;
    clearTimeout(this.#graceTimer);
    this.#graceTimer = undefined;
  }

  #broke(error: unknown): void {
    this.#log("error", "a worker broke the protocol and is ended", { pid: this.pid, error });
    this.kill();
  }

  #ended(how: Exit | Error, cwd: string): void {
    for (const lines of Object.values(this.#lines)) lines.flush();
    if (how instanceof Error) this.#lost(directoryGone(cwd, how) ?? notStarted(how));
    else this.#lost(this.#cause ?? this.#lostError(how));
  }

  /** What a worker writes belongs to the request that it is at; what it writes while it is at none, to nobody. */
  #linesOf(source: "STDOUT" | "STDERR"): OutputLines {
    return new OutputLines((message) => {
      const output = this.#pending[0] === undefined ? this.#lastOutput : this.#pending[0].output;
      if (output) output({ timeMs: Date.now(), source, level: "", message });
      else this.#log("debug", "output of a worker", { pid: this.pid, source, text: message });
    });
  }

  /** A last line without its end belongs to the request that has ended, unless another one has begun to write. */
  #flushLines(of: TakeLine | undefined): void {
    if (this.#pending[0] !== undefined || this.#lastOutput !== of) return;
    for (const lines of Object.values(this.#lines)) lines.flush();
  }

  /** Kills the worker unless it says another word in time. */
  #within({ seconds = 0, loads = "", error }: WithinMessage): void {
    const [head] = this.#pending;
    if (error === undefined || head === undefined || head.cancelled) return;
    this.#withinTimer = setTimeout(() => {
      this.late = { request: head.request, loads, error: fromErrorRecord(error) };
      this.kill(this.late.error);
    }, seconds * 1000);
  }

  #receive(message: WorkerAnswer | Ready | WithinMessage): void {
    clearTimeout(this.#withinTimer);
    if ("type" in message) {
      this.#within(message);
      return;
    }
    if ("protocol" in message) {
      const { protocol: theirs, runtime } = message;
      if (theirs !== protocolVersion) {
        this.kill(otherProtocol("worker", { theirs, ours: protocolVersion, runtime }));
        return;
      }
      this.#isReady = true;
      this.#ready.resolve();
      return;
    }
    const [pending] = this.#pending;
    if (pending?.id !== message.id) throw new Error(`An answer to ${message.id} while ${pending?.id} is due.`);
    if (this.#pending.length > 1) for (const lines of Object.values(this.#lines)) lines.next();
    this.#pending.shift();
    this.#spent = message.spent === true;
    this.#lastOutput = pending.output;
    if (pending.output) setImmediate(() => this.#flushLines(pending.output));
    this.#disarmGrace();
    if (message.ok) pending.resolve(message);
    else pending.reject(fromErrorRecord(message.error));
    if (this.#spent) this.end();
    else this.#armGrace();
    this.onAnswer();
  }

  #lost(error: PluginRunnerError): void {
    this.#gone = true;
    clearTimeout(this.#graceTimer);
    clearTimeout(this.#withinTimer);
    this.#ready.reject(error);
    const waiting = this.#pending.splice(0);
    if (!this.#spent) waiting.shift()?.reject(error);
    for (const pending of waiting) {
      pending.reject(this.late && needsLate(this.late, pending.request) ? error : new NotStarted());
    }
  }

  #lostError({ code, signal, stderrTail, memoryNote }: Exit): PluginRunnerError {
    const how = signal ? `was ended by ${signal}` : `exited with code ${code}`;
    const when = this.#isReady ? "while it ran the action" : "before it was ready";
    const end = signal ? { signal } : { exit_code: String(code) };
    const metadata = { started: String(this.#isReady), ...end, stderr_tail: stderrTail };
    return new PluginRunnerError("WORKER_LOST", `The worker ${how} ${when}.${memoryNote}`, { metadata });
  }
}

function notStarted(cause: Error): PluginRunnerError {
  return new PluginRunnerError("INTERNAL", "A worker could not be started.", { cause });
}
