import { killByEnvironment, killIfMay, processes, startTime, withVariable } from "./process.ts";
import { markedProcesses } from "./process-mark.ts";

/**
 * Kills, on Linux, every process whose environment has `name=uuid` or that carries the mark of the UUID: also those that
 * left their session and cleared their environment. Returns how many there were.
 */
export function killScope(name: string, uuid: string): number {
  const known = killByEnvironment(name, uuid);
  return known + markedProcesses(uuid).filter(killIfMay).length;
}

/** On Linux, the other processes of that kind which started after this one: older ones need not be looked at closely. */
export function youngerOfScope(name: string, uuid: string): Set<number> {
  if (process.platform !== "linux" || uuid === "") return new Set();
  const own = Number(startTime(process.pid));
  const younger = processes().filter((pid) => Number(startTime(pid)) >= own);
  return new Set([...withVariable(name, uuid, younger), ...markedProcesses(uuid, younger)]);
}
