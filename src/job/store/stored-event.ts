import { blob, number, type Row } from "./job-row.ts";
import type { StoredEvent } from "./job-store.ts";
import { keyOf, unseal } from "./sealed.ts";

/** Undefined for one that cannot be read any more. */
export function readEvent(row: Row, jobId: string): StoredEvent | undefined {
  try {
    const sequence = number(row, "sequence");
    const { bytes } = unseal(blob(row, "bytes"), keyOf(jobId) + sequence);
    return { sequence: BigInt(sequence), bytes };
  } catch {
    return undefined;
  }
}
