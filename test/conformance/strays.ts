import assert from "node:assert/strict";
import type { Group } from "./engine.ts";
import { failure, modes, run } from "./run.ts";

const plugin = "javascript-strays";
const ways = {
  rejection: "failed with Error: a rejection",
  tick: "failed with Error: a tick",
  timer: "failed with Error: a timer",
  immediate: "failed with Error: an immediate",
  emitter: "failed with Error: an emitter",
  "exit by process": "called process.exit(3)",
  "exit by name": "called process.exit(4)",
};
const ends = ["exit past all", "abort", "kill", "kill of the group", "emitted signal"];

const takings = [
  "listeners that exit",
  "listeners that throw",
  "listeners that reject",
  "one listener that exits",
  "no listeners",
  "no listeners of its events",
  "no listener, one by one",
  "a callback for all exceptions",
  "ended streams",
  "destroyed streams",
];

/** A fault that comes beside the promise of a run is that run's alone, and one that comes after it is nobody's. */
export const strays: Group = {
  subject: "strays",
  concurrency: 1,
  cases(check) {
    for (const [way, how] of Object.entries(ways)) {
      for (const mode of modes) {
        check(`a fault beside a run's promise fails it: ${way} (javascript, ${mode})`, async ({ client }) => {
          const error = await failure(run(client, mode, plugin, "now", { way }));
          assert.equal(error.reason, "ACTION_FAILED");
          assert.ok(error.message.startsWith(`Action now ${how}`), error.message);
        });
      }

      check(
        `a fault that comes after its run fails no other: ${way} (javascript, local)`,
        async ({ client, server }) => {
          assert.equal(await run(client, "local", plugin, "later", { way }), "returned");
          assert.equal(await run(client, "local", plugin, "innocent", { way }), "innocent");
          await server.logged(`After its run had ended: Action later ${how}`);
        },
      );
    }

    for (const mode of ["local", "task"] as const) {
      for (const what of takings) {
        check(
          `a run that takes the process for its own ends no other: ${what} (javascript, ${mode})`,
          async ({ client, server }) => {
            assert.equal(await run(client, mode, plugin, "take", { what }), "taken");
            for (const way of ["timer after", "rejection after"]) {
              assert.equal(await run(client, mode, plugin, "later", { way }), "returned");
              assert.equal(await run(client, mode, plugin, "innocent", { way }), "innocent");
              if (what !== "a callback for all exceptions")
                await server.logged(`Action later failed with Error: a ${way} ${what}`);
            }
          },
        );
      }

      check(`a fault that no run can be named for fails none (javascript, ${mode})`, async ({ client }) => {
        assert.equal(await run(client, mode, plugin, "unowned"), "innocent");
        assert.equal(await run(client, mode, plugin, "innocent"), "innocent");
      });
    }
  },
};

/** In the service's own process, where every other end would be the service's. */
export const refusedEnds: Group = {
  subject: "refused ends",
  concurrency: 1,
  cases(check) {
    for (const way of ends) {
      check(`an end of the process is refused to a run: ${way} (javascript, local)`, async ({ client }) => {
        const beside = run(client, "local", plugin, "innocent");
        const error = await failure(run(client, "local", plugin, "now", { way }));
        assert.equal(error.reason, "ACTION_FAILED");
        assert.match(error.message, /^Action now called process\.\w+\(.*\), which would end every run of its process/);
        assert.equal(await run(client, "local", plugin, "later", { way }), "returned");
        assert.equal(await run(client, "local", plugin, "innocent", { way }), "innocent");
        assert.equal(await beside, "innocent");
      });
    }

    check("what a listener of the signal throws is its run's (javascript, local)", async ({ client, server }) => {
      const error = await failure(run(client, "local", plugin, "listener", {}, { timeoutMs: 200 }));
      assert.equal(error.reason, "DEADLINE");
      assert.equal(await run(client, "local", plugin, "innocent"), "innocent");
      assert.doesNotMatch(server.log(), /outside of its runs.*a listener/);
    });
  },
};
