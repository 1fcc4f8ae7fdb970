import { readFileSync } from "node:fs";
import type { Command } from "./memory-limit.ts";
import { processes, startTime } from "./process.ts";

/** The limit of file locks means nothing to Linux since 2.4, is inherited, and can be read of every process. */
const limitLine = /^Max file locks +(\d+) /m;
const uuidStart = /^([0-9a-f]{8})-([0-9a-f]{4})-/;
const smallestMark = 2 ** 48;

/** What shells call that limit: `-w` in dash and BusyBox, `-x` in bash. Where neither is known the program runs unmarked. */
const script = 'ulimit -S -w "$0" 2>/dev/null || ulimit -S -x "$0" 2>/dev/null; exec "$@"';

/**
 * A command that marks its process, and whatever that starts, with a UUID: neither a session of its own nor a cleared
 * environment takes the mark away. It is the soft limit of file locks. Elsewhere than on Linux: the command as it is.
 */
export function markedCommand(uuid: string, command: Command): Command {
  const mark = markOf(uuid);
  if (mark === undefined || process.platform !== "linux") return command;
  return { file: "/bin/sh", args: ["-c", script, String(mark), command.file, ...command.args] };
}

/** The other processes, all or among `pids`, that carry the mark of a UUID. None of a text that is no UUID. */
export function markedProcesses(uuid: string, pids?: readonly number[]): number[] {
  const mark = markOf(uuid);
  if (mark === undefined || process.platform !== "linux") return [];
  return (pids ?? processes()).filter(
    (pid) => pid !== process.pid && softLimit(pid) === mark && startTime(pid) !== undefined,
  );
}

/** The first 48 bits. */
function markOf(uuid: string): number | undefined {
  const [, first, second] = uuidStart.exec(uuid) ?? [];
  return first === undefined ? undefined : smallestMark + Number.parseInt(`${first}${second}`, 16);
}

function softLimit(pid: number): number {
  try {
    return Number(limitLine.exec(readFileSync(`/proc/${pid}/limits`, "latin1"))?.[1]);
  } catch {
    return Number.NaN;
  }
}
