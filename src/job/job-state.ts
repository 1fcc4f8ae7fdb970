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
