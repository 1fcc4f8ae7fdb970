import type { EventRecord } from "../worker/messages.ts";

/** A run has no record: its log goes to standard error, which the service keeps the end of; the rest has no reader. */
export function stderrSink(record: EventRecord): void {
  if (record.type !== "log") return;
  const fields = Object.keys(record.fields).length === 0 ? "" : ` ${JSON.stringify(record.fields)}`;
  process.stderr.write(`${record.level} ${record.message}${fields}\n`);
}
