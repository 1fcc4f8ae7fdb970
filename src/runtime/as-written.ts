import { sep } from "node:path";
import type { ErrorRecord } from "../errors.ts";
import type { Binding } from "../worker/messages.ts";

/** Names the plugin's files in an error as its author knows them, where they were copied from. */
export function asWritten(record: ErrorRecord, { root, origin = root }: Pick<Binding, "root" | "origin">): ErrorRecord {
  if (origin === root) return record;
  const known = (text: string) => text.replaceAll(root + sep, origin + sep);
  const metadata = Object.entries(record.metadata ?? {}).map(([key, text]) => [key, known(text)]);
  return {
    ...record,
    message: known(record.message),
    metadata: Object.fromEntries(metadata),
    stack: known(record.stack ?? ""),
  };
}
