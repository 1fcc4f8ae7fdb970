import { readFileSync, statSync } from "node:fs";
import { hasCode } from "./has-code.ts";

const maxBytes = 64 * 1024 * 1024;

/** What stands where a file is expected: its JSON, nothing, or something else, and then why it cannot be read. */
export type Found = { value: unknown } | { fault: string } | undefined;

/** Reads a file of JSON, whatever stands in its place; only what is wrong with the disk itself is thrown. */
export function readJsonFile(file: string): Found {
  try {
    const stats = statSync(file, { throwIfNoEntry: false });
    if (!stats) return undefined;
    if (!stats.isFile()) return { fault: "it is no file" }; // reading from a pipe could wait for ever
    if (stats.size > maxBytes) return { fault: "it is too large" };
    return parsed(readFileSync(file, "utf8"));
  } catch (error) {
    if (hasCode(error, "ENOENT", "ENOTDIR")) return undefined;
    if (hasCode(error, "EACCES", "EPERM", "ELOOP", "EISDIR")) return { fault: String(error) };
    throw error;
  }
}

function parsed(text: string): Found {
  try {
    const value: unknown = JSON.parse(text);
    return { value };
  } catch {
    return { fault: text === "" ? "it is empty" : "it is no JSON" };
  }
}
