import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";

/** The processes that have a text in their command line or their environment: those of one data directory, for one. */
export function processesOf(text: string): number[] {
  return readdirSync("/proc").flatMap((name) => {
    const pid = Number(name);
    if (!Number.isInteger(pid) || pid === process.pid) return [];
    return [textOf(pid, "cmdline"), textOf(pid, "environ")].some((found) => found.includes(text)) ? [pid] : [];
  });
}

/** The workers that a service started. */
export function workersOf(pid: number): number[] {
  const children = textOf(pid, `task/${pid}/children`).split(" ").filter(Boolean).map(Number);
  return children.filter((child) => /worker/.test(textOf(child, "cmdline")));
}

/** How many descriptors a process has open. */
export function descriptorsOf(pid: number): number {
  return readdirSync(`/proc/${pid}/fd`).length;
}

/** What a process has in memory, in bytes. */
export function residentOf(pid: number): number {
  return Number(/^VmRSS:\s+(\d+) kB/m.exec(textOf(pid, "status"))?.[1] ?? 0) * 1024;
}

/** The job processes that stand under a data directory: the supervisor of each, and the process that runs its action. */
export function jobProcesses(dataDir: string): { jobId: string; supervisor: number; action: number }[] {
  return namesIn(join(dataDir, "jobs")).flatMap((jobId) => {
    const dir = join(dataDir, "jobs", jobId);
    const supervisor = Number(/"pid": ?(\d+)/.exec(read(join(dir, "started")))?.[1] ?? 0);
    const action = Number(/"pid": ?(\d+)/.exec(read(join(dir, "events.jsonl")).slice(0, 200))?.[1] ?? 0);
    return supervisor > 0 && action > 0 ? [{ jobId, supervisor, action }] : [];
  });
}

/** What stands in the directories of jobs and would be nobody's: drafts of files that were never finished. */
export function draftsIn(dataDir: string): string[] {
  return namesIn(join(dataDir, "jobs")).flatMap((jobId) =>
    namesIn(join(dataDir, "jobs", jobId))
      .filter((name) => /^(spec\.json|started|job\.json)\../.test(name))
      .map((name) => `${jobId}/${name}`),
  );
}

function textOf(pid: number, name: string): string {
  return read(`/proc/${pid}/${name}`);
}

function read(file: string): string {
  try {
    return readFileSync(file, "utf8");
  } catch {
    return ""; // it is gone, or somebody else's
  }
}

/** What stands in a directory; nothing where there is none. */
export function namesIn(dir: string): string[] {
  try {
    return readdirSync(dir);
  } catch {
    return [];
  }
}
