import { readdirSync, readFileSync } from "node:fs";
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
    const stat = readFileSync(`/proc/${pid}/stat`, "latin1");
    const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
    return fields[0] === "Z" || fields[0] === "X" ? undefined : (fields[19] ?? "");
  } catch {
    return process.platform === "linux" || !exists(pid) ? undefined : "";
  }
}

/**
 * Kills, on Linux, every process whose environment has `name=value`: also those that left the group and the session of
 * the process that started them. Returns how many there were.
 */
export function killByEnvironment(name: string, value: string): number {
  if (process.platform !== "linux") return 0;
  const entry = `${name}=${value}`;
  const found = readdirSync("/proc").filter((pid) => /^\d+$/.test(pid) && environment(pid).includes(entry));
  for (const pid of found) kill(Number(pid), "SIGKILL");
  return found.length;
}

function environment(pid: string): string[] {
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
