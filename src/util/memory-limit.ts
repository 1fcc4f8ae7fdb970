import { findOnPath } from "./find-on-path.ts";

/** A program with its arguments. */
export interface Command {
  file: string;
  args: readonly string[];
}

/** The address space for data that Node 24 reserves before it runs anything is 650 MiB; little of it is ever used. */
const reservedByNodeMib = 768;

/**
 * Bounds the memory of Node with these arguments: the JavaScript heap, and where `prlimit` of util-linux is there, buffers
 * and native memory as well.
 */
export function limitNode(args: readonly string[], memoryMib: number): Command {
  const command = { file: process.execPath, args: [`--max-old-space-size=${memoryMib}`, ...args] };
  return limitData(command, memoryMib + reservedByNodeMib);
}

/** Bounds the data of a program by `prlimit` of util-linux, where that is there. */
export function limitData(command: Command, memoryMib: number): Command {
  const prlimit = findOnPath("prlimit");
  if (prlimit === undefined) return command;
  return { file: prlimit, args: [`--data=${memoryMib * 1024 * 1024}`, command.file, ...command.args] };
}
