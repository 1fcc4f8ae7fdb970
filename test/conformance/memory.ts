import assert from "node:assert/strict";
import type { Group } from "./engine.ts";
import { failure, modes, run } from "./run.ts";

/** Memory is limited alike in every mode of one machine; a cluster has its own ways. */
export const memory: Group = {
  subject: "memory",
  concurrency: 1,
  cases(check) {
    for (const mode of modes) {
      for (const [memoryMib, action] of [
        [256, "hog"],
        [1, "well"],
      ] as const) {
        const options = { resources: { memoryMib } };

        check(
          `${action} beyond its ${memoryMib} MiB is a MemoryError, and nothing else suffers (python, ${mode})`,
          async (engine) => {
            const error = await failure(run(engine.client, mode, "python-failing", action, {}, options));
            assert.equal(error.reason, "ACTION_FAILED");
            assert.equal(error.exceptionType, "MemoryError");
            assert.equal(await run(engine.client, mode, "python-failing", "well"), "well");
          },
        );

        check(
          `${action} beyond its ${memoryMib} MiB is WORKER_LOST, which says so (javascript, ${mode})`,
          async (engine) => {
            const error = await failure(run(engine.client, mode, "javascript-failing", action, {}, options));
            assert.equal(error.reason, "WORKER_LOST");
            assert.match(error.message, /It ran out of memory: memory_mib/);
            assert.equal(await run(engine.client, mode, "javascript-failing", "well"), "well");
          },
        );
      }
    }
  },
};
