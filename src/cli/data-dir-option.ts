import { statSync } from "node:fs";
import { resolve } from "node:path";
import type { Option } from "./options.ts";
import { UsageError } from "./usage-error.ts";

/** For verbs that look at, or copy, what a service on this machine keeps. */
export const dataDirOption = {
  name: "data-dir",
  type: "string",
  default: ".plugin-runner",
  value: "DIR",
  description: "The data directory of a service on this machine.",
} as const satisfies Option;

/** The absolute path of a data directory to look at. Throws UsageError where there is none. */
export function existingDataDir(path: string): string {
  const dir = resolve(path);
  if (statSync(dir, { throwIfNoEntry: false })?.isDirectory()) return dir;
  throw new UsageError(`--data-dir ${path} is not there, or is no directory.`);
}
