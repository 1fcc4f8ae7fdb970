import { join } from "node:path";
import { type Command, limitNode } from "../util/memory-limit.ts";
import { markedCommand } from "../util/process-mark.ts";

const ending = import.meta.filename.slice(import.meta.filename.lastIndexOf("."));
const hooks = new URL(`./thread-hooks${ending}`, import.meta.url).href;
const program = join(import.meta.dirname, `job-child${ending}`);

/** The command of a job's child, with its limit of memory and the mark of its scope. */
export function childCommand(dir: string, memoryMib: number | null, scope: string): Command {
  const args = [...process.execArgv, `--import=${hooks}`, program, dir];
  return markedCommand(scope, memoryMib === null ? { file: process.execPath, args } : limitNode(args, memoryMib));
}
