import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";
import { Duplex } from "node:stream";
import { fileURLToPath } from "node:url";
import type { Binding, WorkerAnswer, WorkerOutput, WorkerRequest } from "../../../src/worker/messages.ts";

const program = fileURLToPath(new URL("../../../src/runtime/worker.ts", import.meta.url));
const fixtures = fileURLToPath(new URL("../../fixtures/runtime/", import.meta.url));

export function bindingOf(folder: string, more: Partial<Binding> = {}): Binding {
  const root = folder.startsWith("/") ? folder : `${fixtures}${folder}`;
  return { language: "javascript", code: "fixture", root, module: "", digest: "aa", env: {}, packages: "", ...more };
}

/** A worker process, spoken to over its descriptor 3. Ends with `await using`. */
export class TestWorker implements AsyncDisposable {
  readonly process: ChildProcess;
  readonly #pipe: Duplex;
  readonly #lines: AsyncIterator<string>;
  #lastId = 0;

  constructor() {
    this.process = spawn(process.execPath, [program], { stdio: ["ignore", "pipe", "pipe", "pipe"] });
    const pipe = this.process.stdio[3];
    if (!(pipe instanceof Duplex)) throw new Error("Descriptor 3 is not a duplex stream.");
    this.#pipe = pipe;
    this.#lines = createInterface({ input: pipe })[Symbol.asyncIterator]();
  }

  bind(binding: Binding): void {
    this.send({ type: "bind", binding, work_dir: "/tmp/plugin-runner-test-work" });
  }

  /** Sends a request and returns its id. */
  request(request: WorkerRequest): number {
    this.#lastId += 1;
    this.send({ ...request, id: this.#lastId });
    return this.#lastId;
  }

  async run(action: string, params = {}, env: Record<string, string> = {}): Promise<WorkerAnswer> {
    this.request(runOf(action, params, env));
    return this.answer();
  }

  send(message: object): void {
    this.#pipe.write(`${JSON.stringify(message)}\n`);
  }

  async next(): Promise<WorkerOutput> {
    const line = await this.#lines.next();
    if (line.done) throw new Error("The worker has ended.");
    return JSON.parse(line.value);
  }

  async answer(): Promise<WorkerAnswer> {
    const output = await this.next();
    return "ok" in output ? output : this.answer();
  }

  async end(): Promise<number | null> {
    if (this.process.exitCode !== null) return this.process.exitCode;
    const exited = once(this.process, "exit");
    this.#pipe.end();
    await exited;
    return this.process.exitCode;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.process.exitCode !== null || this.process.signalCode !== null) return;
    const exited = once(this.process, "exit");
    this.process.kill("SIGKILL");
    await exited;
  }
}

export function runOf(action: string, params = {}, env: Record<string, string> = {}): WorkerRequest {
  return { type: "run", action, entrypoint: `./index.ts#${action}`, params, env, job_id: "job-1" };
}
