import { PluginRunnerError } from "../../errors.ts";
import { sqliteCodeOf } from "../../util/storage-code.ts";

/** What to do about a database that is broken. */
export const repairHint =
  "`plugin-runner doctor --data-dir DIR --repair` saves what can be read, while the service is down.";

/** A job of which something cannot be read any more; `what` says what, and why. */
export function dataLoss(
  jobId: string,
  what: string,
  metadata: Readonly<Record<string, string>> = {},
): PluginRunnerError {
  // One whose id is lost cannot be named to be deleted.
  const [name, remedy] = jobId === "" ? ["a job", repairHint] : [`job ${jobId}`, `Delete the job; or ${repairHint}`];
  return new PluginRunnerError("DATA_LOSS", `The record of ${name} cannot be read any more (${what}). ${remedy}`, {
    metadata: { job_id: jobId, ...metadata },
  });
}

/** Whether a file is no database of jobs any more: broken, or with other tables. */
export function isDamaged(error: unknown): boolean {
  return isBroken(error) || sqliteCodeOf(error) === sqliteError;
}

/** Whether SQLite says that a file is broken. */
export function isBroken(error: unknown): boolean {
  const code = sqliteCodeOf(error);
  return code === corrupt || code === notADatabase;
}

/** SQLITE_ERROR, SQLITE_CORRUPT and SQLITE_NOTADB. */
const [sqliteError, corrupt, notADatabase] = [1, 11, 26];
