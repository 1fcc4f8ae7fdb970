import type { Reason } from "../errors.ts";
import { RunnerError } from "../grpc/client-errors.ts";
import { UsageError } from "./usage-error.ts";

/** What the program's exit codes mean. Codes are added, never changed. */
export const exitCodes = [
  [0, "done"],
  [1, "the action, its plugin or the service failed"],
  [2, "the command line or the configuration cannot be used"],
  [3, "there is no such plugin, action or job"],
  [4, "the params or the request are invalid"],
  [5, "the service or its engine cannot be reached, or its disk takes no jobs"],
  [6, "too much is under way; try again later"],
  [7, "not allowed"],
  [8, "the time limit passed"],
  [9, "cancelled"],
  [10, "the job's state does not allow it"],
  [130, "interrupted"],
] as const;

export type ExitCode = (typeof exitCodes)[number][0];

const byReason: Readonly<Record<Reason | "UNAVAILABLE", ExitCode>> = {
  PLUGIN_NOT_FOUND: 3,
  ACTION_NOT_FOUND: 3,
  RUN_NOT_FOUND: 3,
  JOB_NOT_FOUND: 3,
  PARAMS_INVALID: 4,
  REQUEST_INVALID: 4,
  PLUGIN_INVALID: 1,
  PLUGIN_CHANGED: 1,
  ACTION_FAILED: 1,
  WORKER_LOST: 1,
  RESULT_INVALID: 1,
  DATA_LOSS: 1,
  INTERNAL: 1,
  UNAVAILABLE: 5,
  ENGINE_UNAVAILABLE: 5,
  STORAGE_UNAVAILABLE: 5,
  OVERLOADED: 6,
  PATH_FORBIDDEN: 7,
  MODULE_FORBIDDEN: 7,
  UNAUTHENTICATED: 7,
  FORBIDDEN: 7,
  DEADLINE: 8,
  CANCELLED: 9,
  JOB_ID_CONFLICT: 10,
  JOB_NOT_FINISHED: 10,
  EVENTS_EXPIRED: 10,
};

/** The exit code that tells a script what kind of error this is. */
export function exitCodeOf(error: unknown): ExitCode {
  if (error instanceof UsageError) return 2;
  return error instanceof RunnerError ? exitCodeFor(error.reason) : 1;
}

/** The same for a reason alone. */
export function exitCodeFor(reason: string): ExitCode {
  return isKnown(reason) ? byReason[reason] : 1;
}

function isKnown(reason: string): reason is keyof typeof byReason {
  return Object.hasOwn(byReason, reason);
}
