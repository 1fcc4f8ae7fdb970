import type { JsonValue } from "@bufbuild/protobuf";
import type { EventRecord } from "../worker/messages.ts";

/** A run has no record: its log goes to standard error, which the service keeps the end of; the rest has no reader. */
export function stderrSink(record: EventRecord): void {
  if (record.type !== "log") return;
  const fields = Object.entries(record.fields).map(([name, value]) => `${name}=${shown(value)}`);
  process.stderr.write(`${[record.level, record.message, ...fields].join(" ")}\n`);
}

function shown(value: JsonValue): string {
  return typeof value === "string" ? value : JSON.stringify(value);
}
