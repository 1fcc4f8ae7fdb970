import assert from "node:assert/strict";
import { join } from "node:path";
import { ExecutionError } from "../../src/client.ts";
import { fixtures } from "../support/server.ts";
import type { Group } from "./engine.ts";
import { everywhere, failure, modes, run } from "./run.ts";

/** How an action raises in its language. */
const raised = {
  python: { type: "ModelError", file: /failing\.py", line \d+, in fail/, cause: /KeyError: 'weights'/ },
  javascript: { type: "ModelError", file: /index\.ts:\d+:\d+/, cause: /RangeError: weights/ },
};

/** What an action throws is its own fault, and costs nothing else. */
export const failures: Group = {
  subject: "failures",
  concurrency: 4,
  cases(check) {
    for (const { language, mode } of everywhere) {
      const plugin = `${language}-failing`;
      const here = `(${language}, ${mode})`;

      check(
        `what an action raises is ACTION_FAILED with type, message, stack and cause ${here}`,
        async ({ client }) => {
          const error = await failure(run(client, mode, plugin, "fail"));
          const { type, file, cause } = raised[language];
          assert.ok(error instanceof ExecutionError);
          assert.equal(error.reason, "ACTION_FAILED");
          assert.match(error.exceptionType, new RegExp(`(^|\\.)${type}$`));
          assert.match(error.message, /the model is broken: ü/);
          assert.match(error.pluginStack, file);
          assert.ok(error.pluginStack.includes(join(fixtures, language, "failing")), error.pluginStack);
          assert.match(error.pluginStack, cause);
          assert.equal(await run(client, mode, plugin, "well"), "well");
        },
      );
    }

    for (const mode of modes) {
      check(`progress beyond its total is an error of the action (python, ${mode})`, async ({ client }) => {
        const error = await failure(run(client, mode, "python-reporting", "progress_of", { current: 3, total: 2 }));
        assert.equal(error.reason, "ACTION_FAILED");
        assert.equal(error.exceptionType, "ValueError");
      });

      check(`progress beyond its total is an error of the action (javascript, ${mode})`, async ({ client }) => {
        const error = await failure(run(client, mode, "javascript-reporting", "progress_of", { current: 0, total: 0 }));
        assert.equal(error.reason, "ACTION_FAILED");
        assert.equal(error.exceptionType, "RangeError");
      });
    }
  },
};
