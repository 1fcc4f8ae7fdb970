import { readFileSync } from "node:fs";
import { messageOf } from "../util/message-of.ts";
import { UsageError } from "./usage-error.ts";

/** The content of a file that an option names. Throws UsageError when it cannot be read. */
export function readNamedFile(option: string, file: string): string {
  try {
    return readFileSync(file, "utf8");
  } catch (error) {
    throw new UsageError(`--${option} ${file} cannot be read: ${messageOf(error)}`);
  }
}
