import { type ChildProcess, spawn } from "node:child_process";
import { randomUUID } from "node:crypto";
import { Duplex, type Readable } from "node:stream";
import { killScope } from "../util/kill-scope.ts";
import { LineSplitter } from "../util/lines.ts";
import { memoryNote, oomKills } from "../util/out-of-memory.ts";
import { kill, killGroup } from "../util/process.ts";
import { markedCommand } from "../util/process-mark.ts";
import type { Language } from "./messages.ts";

/** Set for every worker to a value of its own, so that what a plugin leaves behind is found. */
export const scopeVariable = "PLUGIN_RUNNER_SCOPE";

const maxFrameBytes = 64 * 1024 * 1024;
const stderrTailBytes = 4096;
const closeTimeoutMs = 1000;

/** How to start a worker. */
export interface WorkerCommand {
  language: Language;
  file: string;
  args: readonly string[];
  env: Readonly<Record<string, string>>;
}

/** How a process ended. */
export interface Exit {
  code: number | null;
  signal: NodeJS.Signals | null;
  /** Its last words, and a sentence on memory where that was the cause. */
  stderrTail: string;
  memoryNote: string;
}

export interface ChildListener {
  /** Takes a line of the pipe between the two. */
  said(line: Buffer): void;
  /** Told what `said` threw, or that a line was too long. */
  unreadable(error: unknown): void;
  printed(source: "STDOUT" | "STDERR", chunk: Buffer): void;
  /** Told once, after all that the process has said. An error where it was not started. */
  ended(how: Exit | Error): void;
}

/** The process of a worker and its pipes. It leads a group of its own, and nothing of that group outlives it. */
export class WorkerChild {
  /** Resolves once `ended` was told. */
  readonly exited: Promise<void>;
  readonly #child: ChildProcess;
  readonly #pipe: Duplex;
  readonly #scope = randomUUID();
  readonly #frames = new LineSplitter(maxFrameBytes);
  readonly #oomKills = oomKills();
  #stderrTail = Buffer.alloc(0);
  /** How many chunks were read of its pipe. */
  #chunks = 0;
  #gone = false;

  constructor(command: WorkerCommand, cwd: string, listener: ChildListener) {
    const { file, args } = markedCommand(this.#scope, command);
    this.#child = spawn(file, args, {
      cwd,
      env: { ...command.env, [scopeVariable]: this.#scope },
      stdio: ["ignore", "pipe", "pipe", "pipe"],
      detached: true,
    });
    this.#pipe = duplex(this.#child.stdio[3]);
    this.#listen(listener);
    this.exited = this.#end(listener);
  }

  get pid(): number | undefined {
    return this.#child.pid;
  }

  /** Whether nothing more is written to it. */
  get closed(): boolean {
    return this.#pipe.writableEnded;
  }

  write(text: string): void {
    if (this.#pipe.writable) this.#pipe.write(text);
  }

  /** Ends what is written to it: it exits once it has done all that it was told. */
  close(): void {
    this.#pipe.end();
  }

  /** Kills it and, on Linux, all that it started. */
  kill(): void {
    if (this.#child.pid === undefined || this.#gone) return;
    killGroup(this.#child.pid, "SIGKILL");
    kill(this.#child.pid, "SIGKILL");
  }

  /** Calls back once what the process has said already is read: this service itself may have been held up. */
  onceRead(then: () => void): void {
    const chunks = this.#chunks;
    setImmediate(() => {
      if (this.#chunks === chunks) then();
      else this.onceRead(then);
    });
  }

  #listen(listener: ChildListener): void {
    this.#pipe.on("data", (chunk: Buffer) => {
      this.#chunks++;
      try {
        for (const line of this.#frames.push(chunk)) listener.said(line);
      } catch (error) {
        listener.unreadable(error);
      }
    });
    this.#pipe.on("error", () => {});
    drain(this.#child.stdout, (chunk) => listener.printed("STDOUT", chunk));
    drain(this.#child.stderr, (chunk) => {
      this.#stderrTail = Buffer.concat([this.#stderrTail, chunk]).subarray(-stderrTailBytes);
      listener.printed("STDERR", chunk);
    });
  }

  #end(listener: ChildListener): Promise<void> {
    const child = this.#child;
    const { promise, resolve } = Promise.withResolvers<void>();
    const tell = (how: Exit | Error) => {
      this.#gone = true;
      listener.ended(how);
      resolve();
    };
    child.once("error", tell);
    child.once("exit", (code, signal) => {
      if (child.pid !== undefined) killGroup(child.pid, "SIGKILL");
      killScope(scopeVariable, this.#scope);
      // "close" comes once everything was read; only a process that escaped the kill could hold it up.
      const destroy = () => {
        for (const stream of child.stdio) stream?.destroy();
      };
      const timer = setTimeout(() => this.onceRead(destroy), closeTimeoutMs);
      child.once("close", () => {
        clearTimeout(timer);
        const stderrTail = this.#stderrTail.toString("utf8").trimEnd();
        tell({ code, signal, stderrTail, memoryNote: memoryNote(signal, stderrTail, this.#oomKills) });
      });
    });
    return promise;
  }
}

function duplex(stream: unknown): Duplex {
  if (stream instanceof Duplex) return stream;
  throw new Error("A worker was started without its pipe.");
}

function drain(stream: Readable | null, take: (chunk: Buffer) => void): void {
  stream?.on("data", take);
  stream?.on("error", () => {});
}
