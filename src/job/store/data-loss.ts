import { PluginRunnerError } from "../../errors.ts";

/** What to do about a database that is broken. */
export const repairHint =
  "`plugin-runner doctor --data-dir DIR --repair` saves what can be read, while the service is down.";

/** A job of which something cannot be read any more; `what` says what, and why. */
export function dataLoss(
  jobId: string,
  what: string,
  metadata: Readonly<Record<string, string>> = {},
): PluginRunnerError {
  return new PluginRunnerError(
    "DATA_LOSS",
    `The record of job ${jobId} cannot be read any more (${what}). Delete the job; or ${repairHint}`,
    { metadata: { job_id: jobId, ...metadata } },
  );
}

/** Whether a file is no database of jobs any more: broken, or with other tables. */
export function isDamaged(error: unknown): boolean {
  return isBroken(error) || (error instanceof Error && "errcode" in error && error.errcode === 1);
}

/** SQLITE_CORRUPT and SQLITE_NOTADB: https://sqlite.org/rescode.html. */
export function isBroken(error: unknown): boolean {
  return error instanceof Error && "errcode" in error && [11, 26].includes(Number(error.errcode) & 0xff);
}
