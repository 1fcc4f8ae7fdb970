import { killScope as killMarked } from "../../util/kill-scope.ts";
import { isSamePlace, placeOf } from "../../util/place.ts";
import { killGroup, leaderIn, startTime, worksIn } from "../../util/process.ts";
import type { ProcessIdentity } from "../../worker/messages.ts";
import { scopeVariable } from "../../worker/worker-child.ts";
import { type JobMark, readClaim, readMark } from "./job-directory.ts";

export function isAlive({ pid, start_time }: ProcessIdentity): boolean {
  return startTime(pid) === start_time;
}

/** Whether a directory is where its mark was made, so that what the mark and the claim name are processes of this job. */
export function isInPlace(dir: string, mark: JobMark): boolean {
  const place = placeOf(dir);
  return place !== undefined && isSamePlace(place, mark.place);
}

/**
 * The process that carries the job of a directory, while it lives. Never one that works in another directory, of which this
 * one is a copy. A process whose claim cannot be read is known by working there.
 */
export function supervisorOf(dir: string): ProcessIdentity | undefined {
  const claim = readClaim(dir);
  if (claim === undefined) return undefined;
  if ("fault" in claim) return identityOf(leaderIn(dir));
  if (!isAlive(claim)) return undefined;
  const mark = readMark(dir);
  return (mark ? isInPlace(dir, mark) : worksIn(claim.pid, dir)) ? claim : undefined;
}

function identityOf(pid: number | undefined): ProcessIdentity | undefined {
  const start = pid === undefined ? undefined : startTime(pid);
  return pid === undefined || start === undefined ? undefined : { pid, start_time: start };
}

/** Kills all that carries the job of a directory and all that it started. Returns whether there was anything. */
export function killJobIn(dir: string): boolean {
  const supervisor = supervisorOf(dir);
  if (supervisor) killGroup(supervisor.pid, "SIGKILL");
  return killScopeOf(dir) > 0 || supervisor !== undefined;
}

/** Kills what a job's child started, wherever it went. Returns how many there were. */
export function killScopeOf(dir: string): number {
  const mark = readMark(dir);
  return mark && isInPlace(dir, mark) ? killScope(mark) : 0;
}

export function killScope({ scope }: Pick<JobMark, "scope">): number {
  return scope === "" ? 0 : killMarked(scopeVariable, scope);
}
