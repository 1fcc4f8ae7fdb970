import { fromBinary } from "@bufbuild/protobuf";
import { JobEventSchema } from "../../../gen/ts/pluginrunner/v1/job_event_pb.ts";
import { blob, number, type Row } from "./job-row.ts";
import type { StoredEvent } from "./job-store.ts";
import { keyOf, unseal } from "./sealed.ts";

/** Undefined for one that cannot be read any more. */
export function readEvent(row: Row, jobId: string): StoredEvent | undefined {
  try {
    const sequence = BigInt(number(row, "sequence"));
    const { bytes, checked } = unseal(blob(row, "bytes"), keyOf(jobId) + Number(sequence));
    return checked || isEvent(bytes, sequence) ? { sequence, bytes } : undefined;
  } catch {
    return undefined;
  }
}

/** Bytes without a checksum go to watchers as they are: they have to be what the first version wrote, and no broken seal. */
function isEvent(bytes: Uint8Array, sequence: bigint): boolean {
  const event = fromBinary(JobEventSchema, bytes);
  return event.sequence === sequence && event.payload.case !== undefined;
}
