import { JobState } from "../../gen/ts/pluginrunner/v1/job_pb.ts";

/** Whether a job in this state has had its last event. */
export function isTerminal(state: JobState): boolean {
  return state === JobState.SUCCEEDED || state === JobState.FAILED || state === JobState.CANCELLED;
}

/** In the order in which a job goes through them. */
export const unfinishedStates = [JobState.PENDING, JobState.RUNNING, JobState.CANCELLING] as const;

const names = new Map<JobState, string>(Object.entries(JobState).map(([name, value]) => [value, name]));

/** The name of a state, as in "RUNNING". */
export function stateName(state: JobState): string {
  return names.get(state) ?? String(state);
}

/** `RUNNING` and the like: the name of a state without its prefix; its number where it is newer than this program. */
export function jobStateName(state: JobState): string {
  return Object.entries(JobState).find(([, value]) => value === state)?.[0] ?? String(state);
}
