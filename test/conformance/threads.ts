import assert from "node:assert/strict";
import type { Group } from "./engine.ts";
import { modes, run } from "./run.ts";

/** Threads and processes that a plugin starts from its own code find the library as it does. */
export const threads: Group = {
  subject: "threads",
  concurrency: 2,
  cases(check) {
    for (const mode of modes) {
      for (const action of ["thread", "forked"]) {
        check(`the library is found in what a plugin starts from its own code: ${action} (${mode})`, async (engine) => {
          assert.equal(await run(engine.client, mode, "javascript-threads", action), "function");
        });
      }
    }
  },
};
