import { type ChildProcess, execFileSync, type SpawnOptions, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { cpus, tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { createInterface } from "node:readline";
import type { Channel } from "../src/grpc/channel.ts";
import { GrpcChannel } from "../src/grpc/grpc-channel.ts";

/** One line of the table: what was measured, beside its floor, and whether the promise is kept. */
export interface Line {
  what: string;
  floor: string;
  measured: string;
  difference: string;
  target: string;
  kept: boolean;
}

/** A process that said where it listens; disposing of it ends it. */
export interface Server extends AsyncDisposable {
  readonly address: string;
  readonly pid: number;
  end(signal: NodeJS.Signals): Promise<void>;
}

/** The interpreter itself: a version manager's shim takes longer to start than what is measured here. */
export const python = execFileSync("python3", ["-c", "import sys; print(sys.executable)"], { encoding: "utf8" }).trim();

/** What figures have to be read with. */
export function machine(): string {
  const version = execFileSync(python, ["--version"], { encoding: "utf8" }).trim();
  return `${cpus()[0]?.model ?? "unknown CPU"}, ${cpus().length} cores, Node ${process.versions.node}, ${version}`;
}

/** The path of a file of this project. */
export function projectFile(path: string): string {
  return join(import.meta.dirname, "..", path);
}

/** A folder that is removed with all that is in it. */
export function temporaryFolder(): Disposable & { path: string } {
  const path = mkdtempSync(join(tmpdir(), "plugin-runner-bench-"));
  return { path, [Symbol.dispose]: () => rmSync(path, { recursive: true, force: true }) };
}

/** Writes files, given by their paths below a folder, and makes the folders on the way. */
export function writeFiles(folder: string, files: Record<string, string>): void {
  for (const [path, content] of Object.entries(files)) {
    mkdirSync(dirname(join(folder, path)), { recursive: true });
    writeFileSync(join(folder, path), content);
  }
}

/** Starts the service: `root` holds the plugins, `data` its records. */
export function startService(
  root: string,
  data: string,
  listen = "127.0.0.1:0",
  more: readonly string[] = [],
): Promise<Server> {
  const where = ["--root", root, "--data-dir", data, "--listen", listen, "--python", python];
  return startServer([projectFile("src/cli/main.ts"), "serve", ...where, "--log-level", "warn", "--json", ...more]);
}

/** Starts the bare grpc-js server that the service is measured beside. */
export function startFloor(): Promise<Server> {
  return startServer([projectFile("bench/floor-server.ts")]);
}

async function startServer(args: string[]): Promise<Server> {
  const child = spawn(process.execPath, args, { stdio: ["ignore", "pipe", "inherit"] });
  const server = {
    pid: child.pid ?? 0,
    async end(signal: NodeJS.Signals) {
      child.kill(signal);
      await exited(child);
    },
    [Symbol.asyncDispose]: () => server.end("SIGTERM"),
  };
  return { address: await readAddress(child), ...server };
}

async function readAddress(child: ChildProcess): Promise<string> {
  if (child.stdout === null) throw new Error("The server's output is not piped.");
  for await (const line of createInterface({ input: child.stdout })) {
    const said: unknown = JSON.parse(line);
    if (typeof said === "object" && said !== null && "address" in said && typeof said.address === "string") {
      child.stdout.resume();
      return said.address;
    }
  }
  throw new Error(`The server ended with ${child.exitCode ?? child.signalCode} before it said where it listens.`);
}

/** A connection to a server, which is closed when it is disposed of. */
export function connect({ address }: { address: string }): Channel & Disposable {
  const channel = new GrpcChannel({ address, token: undefined, tls: undefined });
  return Object.assign(channel, { [Symbol.dispose]: () => channel.close() });
}

/** Waits until a process is gone. */
export async function exited(child: ChildProcess): Promise<void> {
  if (child.exitCode === null && child.signalCode === null) await once(child, "exit");
}

/** Runs a process to its end and returns how long that took, in milliseconds. */
export async function timeProcess(command: string, args: string[], options: SpawnOptions = {}): Promise<number> {
  const start = performance.now();
  await exited(spawn(command, args, { stdio: "ignore", ...options }));
  return performance.now() - start;
}

/** The resident memory of a process, in MB. */
export function residentMegabytes(pid: number): number {
  return Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, "utf8"))?.[1]) / 1024;
}

/** The processes that a process started and whose command line has a word. */
export function childrenOf(pid: number, word: string): number[] {
  return readdirSync("/proc")
    .filter((entry) => /^\d+$/.test(entry))
    .filter((entry) => new RegExp(`^PPid:\\s+${pid}$`, "m").test(readProcess(entry, "status")))
    .filter((entry) => readProcess(entry, "cmdline").includes(word))
    .map(Number);
}

function readProcess(pid: string, file: string): string {
  try {
    return readFileSync(`/proc/${pid}/${file}`, "utf8");
  } catch {
    return ""; // It ended meanwhile.
  }
}

/** The number below which a part of the numbers lies. */
export function quantile(numbers: readonly number[], part: number): number {
  const sorted = Float64Array.from(numbers).sort();
  return sorted[Math.min(sorted.length - 1, Math.floor(part * sorted.length))] ?? Number.NaN;
}

export function median(numbers: readonly number[]): number {
  return quantile(numbers, 0.5);
}

export function milliseconds(value: number): string {
  return `${value.toFixed(value < 10 ? 2 : 0)} ms`;
}

export function megabytes(value: number): string {
  return `${value.toFixed(1)} MB`;
}
