import assert from "node:assert/strict";
import type { Group } from "./engine.ts";
import { everywhere, failure, modes, run } from "./run.ts";

const ends = {
  vanish: { exit_code: "3" },
  abort: { signal: "SIGABRT" },
  shoot: { signal: "SIGKILL" },
};

/** An action may take its process with it, and nothing more. Not for actions in the service's own process. */
export const crashes: Group = {
  subject: "crashes",
  concurrency: 2,
  cases(check) {
    for (const { language, mode } of everywhere) {
      const plugin = `${language}-failing`;

      for (const [action, how] of Object.entries(ends)) {
        check(
          `an action that does ${action} is WORKER_LOST, and the next runs (${language}, ${mode})`,
          async (engine) => {
            const { client } = engine;
            const error = await failure(run(client, mode, plugin, action));
            assert.equal(error.reason, "WORKER_LOST");
            const { stderr_tail: tail, exit_code, signal } = error.metadata;
            assert.deepEqual({ ...(exit_code && { exit_code }), ...(signal && { signal }) }, how);
            assert.match(tail ?? "", /last words/);
            assert.equal(await run(client, mode, plugin, "well"), "well");
          },
        );
      }

      check(
        `an action that leaves by its language's exit fails, and the next runs (${language}, ${mode})`,
        async (engine) => {
          const { client } = engine;
          const error = await failure(run(client, mode, plugin, "leave"));
          assert.match(error.reason, mode === "job" ? /^(ACTION_FAILED|WORKER_LOST)$/ : /^ACTION_FAILED$/);
          assert.match(error.message, /\b4\b/);
          assert.equal(await run(client, mode, plugin, "well"), "well");
        },
      );
    }

    check("a job beyond its memory ends: MemoryError in Python, and nothing else suffers", async ({ client }) => {
      const hog = client.submitJob("python-failing", "hog", {}, { resources: { memoryMib: 256 } });
      const error = await failure(hog.then((job) => job.result()));
      assert.equal(error.reason, "ACTION_FAILED");
      assert.equal(error.exceptionType, "MemoryError");
    });

    check("a job beyond its memory ends: WORKER_LOST in JavaScript, and nothing else suffers", async ({ client }) => {
      const hog = client.submitJob("javascript-failing", "hog", {}, { resources: { memoryMib: 256 } });
      const error = await failure(hog.then((job) => job.result()));
      assert.equal(error.reason, "WORKER_LOST");
    });

    for (const mode of modes) {
      check(
        `of two processes that come back from an action only the run's own one speaks (${mode})`,
        async (engine) => {
          assert.equal(await run(engine.client, mode, "python-failing", "fork"), "parent");
          assert.equal(await run(engine.client, mode, "python-failing", "well"), "well");
        },
      );
    }

    check("a run beside one that crashes its worker is not lost", async ({ client }) => {
      for (const mode of modes) {
        const crash = failure(run(client, mode, "python-failing", "shoot"));
        const beside = Array.from({ length: 5 }, () => run(client, mode, "python-failing", "well"));
        assert.deepEqual(
          await Promise.all(beside),
          Array.from({ length: 5 }, () => "well"),
        );
        assert.equal((await crash).reason, "WORKER_LOST");
      }
    });
  },
};
