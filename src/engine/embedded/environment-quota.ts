import type { Log } from "../../util/log.ts";
import { type EnvironmentRecord, listEnvironments, removeEnvironment } from "./environment-record.ts";

/** What was used this short a time ago may be about to be used. */
const restMs = 60_000;

/**
 * Removes environments, those first that nobody has used for longest, until the others take no more than `quotaBytes`.
 * What is in use stays, whatever it takes.
 * @param forget is told of each one before it goes, and says whether it may
 */
export async function keepQuota(
  dir: string,
  quotaBytes: number,
  forget: (digest: string) => boolean,
  log: Log,
): Promise<void> {
  const found = await listEnvironments(dir);
  let bytes = found.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0);
  for (const one of found.reverse()) {
    if (bytes <= quotaBytes) return;
    if (Date.now() - one.lastUsed.getTime() < restMs || !forget(one.digest)) continue;
    bytes -= one.sizeBytes;
    log("info", "an environment is removed to keep --environment-quota", shown(one));
    await removeEnvironment(dir, one.digest);
  }
}

function shown({ digest, manager, plugins, sizeBytes, lastUsed }: EnvironmentRecord) {
  return { digest, manager, plugins: plugins.join(","), bytes: sizeBytes, last_used: lastUsed.toISOString() };
}
