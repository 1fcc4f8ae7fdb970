import { type ChildProcess, spawn } from "node:child_process";
import { EventEmitter, once } from "node:events";
import { mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { type Client, connect } from "../../src/client.ts";
import { killScope } from "../../src/util/kill-scope.ts";
import { kill } from "../../src/util/process.ts";
import { patienceMs } from "./limits.ts";

export const project = join(import.meta.dirname, "../..");
export const fixtures = join(project, "test/fixtures/plugins");

/** A server process of a test, with a client. Disposing it ends all that it started and removes its data. */
export interface TestServer extends AsyncDisposable {
  readonly address: string;
  /** Where browsers are answered, where it was told to: `host:port`. */
  readonly httpAddress: string;
  readonly client: Client;
  readonly dataDir: string;
  readonly pid: number;
  /** What it has written to standard error so far. */
  log(): string;
  /** Resolves once that contains a text. */
  logged(text: string): Promise<void>;
  /** Waits until the process is gone. Returns its exit code. */
  ended(): Promise<number | null>;
  /** Ends the process by a signal and waits until it is gone. Returns its exit code. */
  end(signal: NodeJS.Signals): Promise<number | null>;
  /** Starts it again, on the same data and the same address, with further arguments. */
  start(args?: readonly string[]): Promise<void>;
}

export interface TestServerOptions {
  roots?: readonly string[];
  args?: readonly string[];
  env?: Readonly<Record<string, string>>;
  token?: string;
  /** A command that starts it. */
  under?: readonly string[];
  /** Removed with the server. Default: a new one. */
  dataDir?: string;
}

export async function startServer(options: TestServerOptions = {}): Promise<TestServer> {
  const dataDir = options.dataDir ?? mkdtempSync(join(tmpdir(), "plugin-runner-test-"));
  const server = new ServerProcess(dataDir, options);
  try {
    await server.start();
    return server;
  } catch (error) {
    await server[Symbol.asyncDispose]();
    throw error;
  }
}

/** Runs `serve` where it has to refuse. Resolves with its exit code and what it said. */
export async function serveRefused(args: readonly string[]): Promise<{ code: number | null; said: string }> {
  const child = spawn(process.execPath, [...serve, ...args], { stdio: ["ignore", "pipe", "pipe"] });
  let said = "";
  for (const stream of [child.stdout, child.stderr]) {
    stream.on("data", (chunk: Buffer) => {
      said += chunk;
    });
  }
  const timer = setTimeout(() => child.kill("SIGKILL"), patienceMs);
  await once(child, "close");
  clearTimeout(timer);
  return { code: child.exitCode, said };
}

const serve = [join(project, "src/cli/main.ts"), "serve"];

class ServerProcess implements TestServer {
  address = "127.0.0.1:0";
  httpAddress = "";
  readonly dataDir: string;
  readonly #options: TestServerOptions;
  #child: ChildProcess | undefined;
  #client: Client | undefined;
  readonly #written = new EventEmitter();
  #log = "";

  constructor(dataDir: string, options: TestServerOptions) {
    this.dataDir = dataDir;
    this.#options = options;
  }

  get client(): Client {
    if (!this.#client) throw new Error("The server has not started.");
    return this.#client;
  }

  get pid(): number {
    return this.#child?.pid ?? 0;
  }

  log(): string {
    return this.#log;
  }

  async logged(text: string): Promise<void> {
    while (!this.#log.includes(text)) await once(this.#written, "log");
  }

  async start(more: readonly string[] = []): Promise<void> {
    const { roots = [fixtures], args = [], env = {}, token, under = [] } = this.#options;
    const [program, ...first] = [...under, process.execPath];
    const child = spawn(
      program ?? process.execPath,
      [
        ...first,
        ...serve,
        ...["--listen", this.address, "--data-dir", this.dataDir, "--json"],
        ...roots.flatMap((root) => ["--root", root]),
        ...args,
        ...more,
      ],
      { stdio: ["ignore", "pipe", "pipe"], env: { ...process.env, ...env } },
    );
    this.#child = child;
    child.stderr.on("data", (chunk: Buffer) => {
      this.#log += chunk;
      this.#written.emit("log");
    });
    const failed = once(child, "exit").then(() => {
      throw new Error(`The server ended before it listened:\n${this.#log}`);
    });
    failed.catch(() => {});
    const [line] = await Promise.race([once(createInterface({ input: child.stdout }), "line"), failed]);
    const { address, http_address = "" }: { address: string; http_address?: string } = JSON.parse(line);
    this.address = address;
    this.httpAddress = http_address;
    this.#client ??= connect({ address, ...(token !== undefined && { token }) });
  }

  async ended(): Promise<number | null> {
    const child = this.#child;
    if (child && child.exitCode === null && child.signalCode === null) await once(child, "exit");
    return child?.exitCode ?? null;
  }

  async end(signal: NodeJS.Signals): Promise<number | null> {
    const exit = this.ended();
    if (this.#child?.exitCode === null && this.#child.signalCode === null) this.#child.kill(signal);
    return exit;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#client?.close();
    await this.end("SIGKILL");
    for (const job of foldersIn(join(this.dataDir, "jobs"))) endJob(job);
    rmSync(this.dataDir, { recursive: true, force: true, maxRetries: 5 });
  }
}

/** Jobs outlive their server: a test ends them by what they wrote of themselves. */
function endJob(dir: string): void {
  const { pid } = readJson(join(dir, "started"));
  const { scope } = readJson(join(dir, "spec.json"));
  if (typeof pid === "number" && pid > 0) kill(pid, "SIGKILL");
  if (typeof scope === "string") killScope("PLUGIN_RUNNER_SCOPE", scope);
}

function readJson(file: string): Record<string, unknown> {
  try {
    return JSON.parse(readFileSync(file, "utf8"));
  } catch {
    return {};
  }
}

function foldersIn(dir: string): string[] {
  try {
    return readdirSync(dir).map((name) => join(dir, name));
  } catch {
    return [];
  }
}
