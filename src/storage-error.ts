import { statSync } from "node:fs";
import { PluginRunnerError } from "./errors.ts";
import { storageCodeOf } from "./util/storage-code.ts";

const retryAfterMs = 2000;

const faults: Readonly<Record<string, string>> = {
  ENOSPC: "is full",
  EDQUOT: "is beyond its quota",
  EFBIG: "takes no larger file",
  EROFS: "is read-only",
};

/** What is wrong with a disk by its code, as said after "the disk". */
export function diskFault(code: string): string {
  return faults[code] ?? `fails with ${code}`;
}

/**
 * What is asked of a service whose data directory takes nothing new, of work that has not started. `code` is `ENOSPC` and the
 * like, or this service's own word for what is wrong; `metadata` may have sizes beside it.
 */
export function storageUnavailable(
  code: string,
  message: string,
  { metadata, cause }: { metadata?: Readonly<Record<string, string>>; cause?: unknown } = {},
): PluginRunnerError {
  return new PluginRunnerError("STORAGE_UNAVAILABLE", message, {
    metadata: { ...metadata, code },
    retryAfterMs,
    cause,
  });
}

/**
 * What went wrong before any work had started: STORAGE_UNAVAILABLE where the disk is at fault, and else `error` as it is.
 */
export function orStorageUnavailable(error: unknown): unknown {
  if (error instanceof PluginRunnerError) return error;
  const code = storageCodeOf(error);
  if (code === undefined) return error;
  const message = `The disk of the service's data ${diskFault(code)}; nothing has started.`;
  return storageUnavailable(code, message, { cause: error });
}

/**
 * What went wrong in a directory that is not there any more; undefined where it is. Node says of a program that is missing
 * and of a directory that is, that the program is not there.
 */
export function directoryGone(dir: string, cause: unknown): PluginRunnerError | undefined {
  if (statSync(dir, { throwIfNoEntry: false })?.isDirectory()) return undefined;
  return storageUnavailable("moved", `The data directory ${dir} is gone; nothing has started.`, { cause });
}
