import { killByEnvironment, killIfMay } from "./process.ts";
import { markedProcesses } from "./process-mark.ts";

/**
 * Kills, on Linux, every process whose environment has `name=uuid` or that carries the mark of the UUID: also those that
 * left their session and cleared their environment. Returns how many there were.
 */
export function killScope(name: string, uuid: string): number {
  const known = killByEnvironment(name, uuid);
  return known + markedProcesses(uuid).filter(killIfMay).length;
}
