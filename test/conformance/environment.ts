import assert from "node:assert/strict";
import type { Group } from "./engine.ts";
import { everywhere, failure, object, run } from "./run.ts";

const configured = { FIXTURE_A: "from config", FIXTURE_B: "from config", FIXTURE_N: "5" };
const asked = { FIXTURE_B: "from request", FIXTURE_C: "ünicode = 漢" };

export const environment: Group = {
  subject: "environment",
  concurrency: 4,
  cases(check) {
    for (const { language, mode } of everywhere) {
      const plugin = `${language}-environment`;
      const here = `(${language}, ${mode})`;

      check(
        `the request's variables stand over the configuration's, and are taken back ${here}`,
        async ({ client }) => {
          const both = { ...configured, ...asked };
          assert.deepEqual(await run(client, mode, plugin, "show", {}, { env: asked }), {
            process: both,
            context: both,
          });
          assert.deepEqual(await run(client, mode, plugin, "show"), { process: configured, context: configured });
        },
      );

      check(`variables of the service are not the plugin's to see ${here}`, async ({ client }) => {
        const names = Object.values(object({ names: await run(client, mode, plugin, "names") })).flat();
        assert.ok(names.includes("PATH"));
        assert.ok(!names.includes("SERVICE_SECRET"));
      });

      if (language === "python") {
        check(`params are checked with the variables that the action will see ${here}`, async ({ client }) => {
          for (const key of ["one", "other"]) {
            assert.equal(await run(client, mode, plugin, "keyed", {}, { env: { FIXTURE_KEY: key } }), key);
          }
        });
      }

      check(`a name that no variable can have is refused ${here}`, async ({ client }) => {
        for (const env of [{ "A=B": "" }, { "": "x" }, { FIXTURE_A: "nul \0" }]) {
          const error = await failure(run(client, mode, plugin, "show", {}, { env }));
          assert.equal(error.reason, "REQUEST_INVALID");
          assert.match(error.violations[0]?.field ?? "", /^\/env/);
        }
      });
    }
  },
};
