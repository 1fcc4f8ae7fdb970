import { readdirSync, readFileSync, statSync } from "node:fs";
import { constants } from "node:os";
import { hasCode } from "./has-code.ts";

/** Sends a signal to a process group; what is gone already is left alone. */
export function killGroup(pid: number, signal: NodeJS.Signals): void {
  kill(-pid, signal);
}

/** Sends a signal to a process; what is gone already is left alone. */
export function kill(pid: number, signal: NodeJS.Signals): void {
  try {
    process.kill(pid, signal);
  } catch (error) {
    if (!isGone(error)) throw error;
  }
}

/**
 * Whether a process has something to do on a signal, or holds it back until it has. True where the system does not say.
 * `SigBlk` and `SigCgt` of `/proc/<pid>/status` (proc(5)) have a bit for each signal.
 */
export function hears(pid: number, signal: NodeJS.Signals): boolean {
  try {
    const status = readFileSync(`/proc/${pid}/status`, "latin1");
    const sets = [...status.matchAll(/^Sig(?:Blk|Cgt):\s*([0-9a-f]+)$/gm)].map(([, bits]) => BigInt(`0x${bits}`));
    return sets.length === 0 || sets.some((set) => (set >> BigInt(constants.signals[signal] - 1)) & 1n);
  } catch {
    return true;
  }
}

/** Kills a process that this user may kill. Whether there was one. */
export function killIfMay(pid: number): boolean {
  try {
    return process.kill(pid, "SIGKILL");
  } catch (error) {
    if (isGone(error) || hasCode(error, "EPERM")) return false;
    throw error;
  }
}

/**
 * When a process started, in the kernel's own count since boot: with the pid it names one process for ever. Field 22 of
 * `/proc/<pid>/stat` (proc(5)). Empty where there is no `/proc`; undefined when the process is gone or a zombie.
 */
export function startTime(pid: number): string | undefined {
  try {
    const fields = statFields(pid);
    return fields[0] === "Z" || fields[0] === "X" ? undefined : (fields[19] ?? "");
  } catch {
    return process.platform === "linux" || !exists(pid) ? undefined : "";
  }
}

/** The parent of a process; undefined when it is gone, or where there is no `/proc`. */
export function parentOf(pid: number): number | undefined {
  try {
    return Number(statFields(pid)[1]);
  } catch {
    return undefined;
  }
}

/**
 * Kills, on Linux, every process whose environment has `name=value`: also those that left the group and the session of
 * the process that started them. Returns how many there were.
 */
export function killByEnvironment(name: string, value: string): number {
  if (process.platform !== "linux") return 0;
  const found = withVariable(name, value, processes());
  for (const pid of found) kill(pid, "SIGKILL");
  return found.length;
}

/** On Linux, the other processes among `pids` whose environment has `name=value`. */
export function withVariable(name: string, value: string, pids: readonly number[]): number[] {
  const entry = `${name}=${value}`;
  return pids.filter((pid) => pid !== process.pid && environment(pid).includes(entry));
}

/** All processes of this machine, where there is a `/proc`. */
export function processes(): number[] {
  const names = readdirSync("/proc");
  return names.filter((name) => /^\d+$/.test(name)).map(Number);
}

/** The fields of `/proc/<pid>/stat` from the third on: the name before them may hold anything. */
function statFields(pid: number): string[] {
  const stat = readFileSync(`/proc/${pid}/stat`, "latin1");
  return stat.slice(stat.lastIndexOf(")") + 2).split(" ");
}

function environment(pid: number): string[] {
  try {
    return readFileSync(`/proc/${pid}/environ`, "utf8").split("\0");
  } catch {
    return [];
  }
}

function exists(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return !isGone(error);
  }
}

function isGone(error: unknown): boolean {
  return hasCode(error, "ESRCH");
}

/** Whether a process works in a directory, wherever that was moved. True where the system does not say. */
export function worksIn(pid: number, dir: string): boolean {
  return process.platform !== "linux" || isDirectoryOf(pid, dir);
}

/** The process that works in a directory and leads a session of its own; undefined where there is none, or no `/proc`. */
export function leaderIn(dir: string): number | undefined {
  if (process.platform !== "linux") return undefined;
  return processes().find((pid) => isDirectoryOf(pid, dir) && leadsSession(pid));
}

function isDirectoryOf(pid: number, dir: string): boolean {
  try {
    const [own, asked] = [statSync(`/proc/${pid}/cwd`), statSync(dir)];
    return own.dev === asked.dev && own.ino === asked.ino;
  } catch {
    return false;
  }
}

function leadsSession(pid: number): boolean {
  try {
    return Number(statFields(pid)[3]) === pid;
  } catch {
    return false;
  }
}
