import { randomUUID } from "node:crypto";
import { setTimeout as delay } from "node:timers/promises";
import type { Dashboard } from "./dashboard.ts";
import { deleteRecord } from "./delete-record.ts";
import { hasEnded } from "./job-states.ts";

/** What a job that was deleted has on the node that it ran on. */
export interface NodeFiles {
  nodeId: string;
  rayId: string;
  /** What its files are named by. */
  files: string;
}

const pollMs = 250;
const patienceMs = 60_000;
/** A command has a limited length. */
const maxAtOnce = 100;

/**
 * Removes files of deleted jobs by a small Ray job on each node that has some. Returns those of which nothing is left, or
 * whose node is gone. Rejects when the cluster does not do it.
 */
export async function removeFiles(
  dashboard: Dashboard,
  all: readonly NodeFiles[],
  signal: AbortSignal,
): Promise<NodeFiles[]> {
  const nodes = await dashboard.nodes(signal);
  const done = all.filter(({ nodeId }) => !nodes.has(nodeId));
  for (const [nodeId, resource] of nodes) {
    const here = all.filter((each) => each.nodeId === nodeId).slice(0, maxAtOnce);
    if (here.length > 0 && (await removeOn(resource, here, dashboard, signal))) done.push(...here);
  }
  return done;
}

/** Whether it was done. */
async function removeOn(
  resource: string,
  here: readonly NodeFiles[],
  dashboard: Dashboard,
  signal: AbortSignal,
): Promise<boolean> {
  const submissionId = `plugin-runner-removal-${randomUUID().slice(0, 8)}`;
  const logs: string[] = [];
  // A job that was submitted anew under the id writes to the same log.
  for (const { rayId } of here) if (!(await dashboard.getJob(rayId, signal))) logs.push(`job-driver-${rayId}.log`);
  const names = [
    ...here.flatMap(({ files }) => [`plugin-runner-${files}.events`, `../plugin-runner/${files}`]),
    ...logs,
    `job-driver-${submissionId}.log`,
  ];
  await dashboard.submitJob(
    {
      submissionId,
      entrypoint: removal(names),
      runtimeEnv: {},
      metadata: { purpose: "removes the files of jobs that were deleted" },
      resources: { [resource]: 0.001 },
    },
    signal,
  );
  const until = AbortSignal.any([signal, AbortSignal.timeout(patienceMs)]);
  try {
    let job = await dashboard.getJob(submissionId, until);
    while (job && !hasEnded(job)) {
      await delay(pollMs, undefined, { signal: until });
      job = await dashboard.getJob(submissionId, until);
    }
    return job?.status === "SUCCEEDED";
  } finally {
    if (until.aborted) await dashboard.stopJob(submissionId);
    else await deleteRecord(dashboard, submissionId, signal);
  }
}

/** Paths are those of Ray's log folder, where the job's own output stands. */
function removal(names: readonly string[]): string {
  const quoted = names.map((name) => `'${name.replaceAll("'", "'\\''")}'`);
  return `cd "$(dirname "$(readlink /proc/$$/fd/1)")" && case "$PWD" in */logs) rm -rf -- ${quoted.join(" ")};; esac`;
}
