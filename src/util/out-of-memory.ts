import { readFileSync } from "node:fs";

/** What Node, V8 and C++ say when they end for want of memory. */
const lastWords =
  /JavaScript (heap )?out of memory|process out of memory|FATAL ERROR:.*out of memory|FatalOOM|FatalProcessOutOfMemory|std::bad_alloc/i;

/**
 * A sentence on memory for a process that ended by a signal; empty where nothing says that memory was the cause.
 * @param killsBefore what `oomKills` said when the process was started
 */
export function memoryNote(signal: string | null, stderrTail: string, killsBefore?: number): string {
  if (signal === null) return "";
  if (signal === "SIGKILL") {
    const killed = killsBefore !== undefined && (oomKills() ?? 0) > killsBefore;
    return killed
      ? " Memory was out on this machine or in its container, and the kernel ended a process for that."
      : "";
  }
  return lastWords.test(stderrTail)
    ? " It ran out of memory: memory_mib, or the service's limit, is too small for it."
    : "";
}

/** How many processes the kernel has ended for want of memory; undefined where it does not say. */
export function oomKills(): number | undefined {
  try {
    const [, count] = /^oom_kill (\d+)$/m.exec(readFileSync("/proc/vmstat", "latin1")) ?? [];
    return count === undefined ? undefined : Number(count);
  } catch {
    return undefined;
  }
}
