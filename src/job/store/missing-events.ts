import type { DatabaseSync } from "node:sqlite";
import { readEvent } from "./stored-event.ts";

const maxRanges = 20;

/**
 * Which events from `first` to `last` cannot be read or are not there, as in "5-9,12", and `next`, the first after the
 * first of them that can. Looks no further once it has found many.
 */
export function missingEvents(
  database: DatabaseSync,
  jobId: string,
  first: bigint,
  last: bigint,
): { ranges: string; next: bigint | undefined } {
  const ranges: string[] = [];
  let next: bigint | undefined;
  let expected = first;
  const add = (end: bigint) => ranges.push(expected === end ? `${end}` : `${expected}-${end}`);
  const one = database.prepare(
    "SELECT sequence, bytes FROM events WHERE job_id = ? AND sequence >= ? ORDER BY sequence LIMIT 1",
  );
  one.setReadBigInts(true);
  for (let at = first; at <= last && ranges.length < maxRanges; ) {
    const row = tryGet(() => one.get(jobId, at));
    if (row === "broken") {
      at++;
      continue;
    }
    if (!row) break;
    const event = readEvent(row, jobId);
    const found = event?.sequence ?? BigInt(Number(row.sequence));
    at = (found > at ? found : at) + 1n;
    if (!event || event.sequence > last) continue;
    if (event.sequence > expected) {
      add(event.sequence - 1n);
      next ??= event.sequence;
    }
    expected = event.sequence + 1n;
  }
  if (ranges.length >= maxRanges) ranges.push("…");
  else if (expected <= last) add(last);
  return { ranges: ranges.join(","), next };
}

function tryGet<T>(get: () => T): T | "broken" {
  try {
    return get();
  } catch {
    return "broken";
  }
}
