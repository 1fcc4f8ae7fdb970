import { setTimeout as delay } from "node:timers/promises";
import type { Dashboard } from "./dashboard.ts";
import { isGhost } from "./job-states.ts";

const looks = 4;
const pauseMs = 1000;

/**
 * Deletes Ray's record of a job that has ended, and the one that Ray may make anew: a loop of its own looks at each job
 * once in a second, and takes one without a record for one that failed. Until then the id must not be used again: the loop
 * would end the next job.
 * @param deleted called once the job's own record is gone
 */
export async function deleteRecord(
  dashboard: Dashboard,
  rayId: string,
  signal: AbortSignal,
  deleted: () => void = () => {},
): Promise<void> {
  await dashboard.deleteJob(rayId, signal);
  deleted();
  for (let look = 0; look < looks; look++) {
    await delay(pauseMs, undefined, { signal, ref: false });
    const job = await dashboard.getJob(rayId, signal);
    if (!job) continue;
    if (isGhost(job)) await dashboard.deleteJob(rayId, signal);
    return;
  }
}
