import { fork } from "node:child_process";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { submitTicks, tickPlugins } from "./plugins.ts";
import {
  connect,
  type Line,
  megabytes,
  projectFile,
  residentMegabytes,
  type Server,
  startService,
  temporaryFolder,
  writeFiles,
} from "./support.ts";

const processCount = 2;
const watchersPerProcess = 500;
const events = 1000;
const intervalMs = 10;

/** What the processes with the watchers answer; see fan-out-watchers.ts. */
export interface Watched {
  /** Watchers that got every event, each one once, in order. */
  complete: number;
  /** How many events came how many milliseconds late, by that number. */
  delays: number[];
}

/** 1,000 watchers on one job with 100 events a second, in processes beside the service. */
export async function fanOut(): Promise<Line[]> {
  using root = temporaryFolder();
  using data = temporaryFolder();
  writeFiles(root.path, tickPlugins);
  await using service = await startService(root.path, data.path);
  const idle = residentMegabytes(service.pid);
  using memory = watchMemory(service);
  const start = join(data.path, "start");
  const jobId = await submit(service, start);
  const processes = Array.from({ length: processCount }, () => watch(service, jobId));
  await Promise.all(processes.map(({ ready }) => ready));
  writeFileSync(start, "");
  const watched = await Promise.all(processes.map(({ watched }) => watched));

  const watchers = processCount * watchersPerProcess;
  const complete = watched.reduce((sum, each) => sum + each.complete, 0);
  const p99 = quantileOfCounts(
    watched.map(({ delays }) => delays),
    0.99,
  );
  const grown = memory.highest() - idle;
  const what = `${watchers} watchers on one job, 100 events/s`;
  return [
    line(`${what}: watchers that got every event once, in order`, `${complete}`, `${watchers}`, complete === watchers),
    line("the same: delay of an event, p99", `${p99} ms`, "≤ 500 ms", p99 <= 500),
    {
      what: "the same: resident memory of the server, highest, beside idle",
      floor: megabytes(idle),
      measured: megabytes(memory.highest()),
      difference: `+ ${megabytes(grown)}`,
      target: "≤ + 100 MB",
      kept: grown <= 100,
    },
  ];
}

/** Starts the job, which waits for a file: until then the watchers come. */
async function submit(service: Server, start: string): Promise<string> {
  using channel = connect(service);
  const params = { count: events, interval_ms: intervalMs, after_file: start };
  for await (const { update } of submitTicks(channel, "tick_python", params)) {
    if (update.case === "snapshot") return update.value.jobId;
  }
  throw new Error("The job has no snapshot.");
}

/** Starts a process with watchers, which says when all have a snapshot, and then what they saw. */
function watch(service: Server, jobId: string): { ready: Promise<void>; watched: Promise<Watched> } {
  const args = [service.address, jobId, String(watchersPerProcess)];
  const child = fork(projectFile("bench/fan-out-watchers.ts"), args);
  const ready = Promise.withResolvers<void>();
  const watched = Promise.withResolvers<Watched>();
  child.on("message", (message: "ready" | Watched) => {
    if (message === "ready") ready.resolve();
    else watched.resolve(message);
  });
  child.on("exit", (code, signal) => {
    const error = new Error(`A process with watchers ended with ${code ?? signal}.`);
    ready.reject(error);
    watched.reject(error);
  });
  return { ready: ready.promise, watched: watched.promise };
}

function watchMemory({ pid }: Server): Disposable & { highest(): number } {
  let highest = 0;
  const timer = setInterval(() => {
    highest = Math.max(highest, residentMegabytes(pid));
  }, 100);
  return { highest: () => highest, [Symbol.dispose]: () => clearInterval(timer) };
}

function quantileOfCounts(histograms: readonly number[][], part: number): number {
  const length = Math.max(...histograms.map((counts) => counts.length));
  const counts = Array.from({ length }, (_, delay) => histograms.reduce((sum, each) => sum + (each[delay] ?? 0), 0));
  const total = counts.reduce((sum, count) => sum + count, 0);
  let seen = 0;
  return counts.findIndex((count) => {
    seen += count;
    return seen >= total * part;
  });
}

function line(what: string, measured: string, target: string, kept: boolean): Line {
  return { what, floor: "–", measured, difference: "–", target, kept };
}
