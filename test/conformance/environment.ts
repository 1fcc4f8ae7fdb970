import assert from "node:assert/strict";
import { mkdirSync, mkdtempSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { JobState } from "../../src/client.ts";
import { PackageIndex } from "../support/package-index.ts";
import type { Group } from "./engine.ts";
import { everywhere, failure, object, run } from "./run.ts";

const configured = { FIXTURE_A: "from config", FIXTURE_B: "from config", FIXTURE_N: "5" };
const asked = { FIXTURE_B: "from request", FIXTURE_C: "ünicode = 漢" };

/** What the fixture `started` shows with these variables, which a process has to be started with. */
const startWith = {
  python: {
    env: {
      TZ: "America/New_York",
      PYTHONHASHSEED: "0",
      PYTHONPATH: "lib-of-plugin",
      PYTHONWARNINGS: "ignore::ResourceWarning",
      PYTHONUTF8: "1",
    },
    shown: { hour: 19, warnings: ["ignore::ResourceWarning"], randomized: 0, path: ["lib-of-plugin"], utf8: 1 },
  },
  javascript: {
    env: { TZ: "America/New_York", NODE_OPTIONS: "--max-old-space-size=256" },
    shown: { hour: 19, smallHeap: true },
  },
} as const;

/** A plugin that needs a package of an index. */
function writePlugin(folder: string, options: readonly string[]): void {
  const head = `name: Installing\ncode: installing\npackage_manager_options: ${JSON.stringify(options)}\n`;
  mkdirSync(join(folder, "plugin"), { recursive: true });
  writeFileSync(join(folder, "requirements.txt"), "tiny-greeting==1.0\n");
  writeFileSync(join(folder, "plugin", "__init__.py"), "");
  writeFileSync(
    join(folder, "plugin", "main.py"),
    "import tiny_greeting\n\ndef greet(name: str, end: str = '!'):\n    return f'{tiny_greeting.text} {name}{end}'\n",
  );
  writeFileSync(join(folder, "config.yaml"), `${head}actions: {greet: {entrypoint: "plugin.main:greet"}}\n`);
}

export const environment: Group = {
  subject: "environment",
  concurrency: 4,
  cases(check) {
    check("a job has its id while its packages are installed, and its code judges the params then", async (engine) => {
      const { client, scratch } = engine;
      const place = mkdtempSync(join(scratch, "index-"));
      await using index = await PackageIndex.start(place);
      writePlugin(join(scratch, "installing"), index.options);
      await client.serverInfo();
      const [right, wrong] = await Promise.all([
        client.submitJob("installing", "greet", { name: "you" }),
        client.submitJob("installing", "greet", { name: 1 }),
      ]);
      assert.equal((await client.getJob(right.id)).state, JobState.PENDING);
      index.answer();
      assert.equal(await right.result(), "hello you!");
      assert.deepEqual((await client.getJob(right.id)).params, { name: "you", end: "!" });
      assert.equal((await failure(wrong.result())).reason, "PARAMS_INVALID");
    });

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

      check(`what the operator passes on is in the context as well ${here}`, async ({ client }) => {
        const { context } = object(await run(client, mode, plugin, "passed"));
        assert.equal(context, "for plugins");
      });

      check(`variables of the service are not the plugin's to see ${here}`, async ({ client }) => {
        const names = Object.values(object({ names: await run(client, mode, plugin, "names") })).flat();
        assert.ok(names.includes("PATH"));
        assert.ok(!names.includes("SERVICE_SECRET"));
      });

      if (language === "python") {
        check(`params are checked with the variables that the action will see ${here}`, async ({ client }) => {
          for (const key of ["one", "other"]) {
            const env = { FIXTURE_KEY: key };
            assert.equal(await run(client, mode, plugin, "keyed", {}, { env }), key);
            const verdict = await client.validateParams(plugin, "keyed", {}, { env });
            assert.deepEqual(verdict.params, { key });
          }
        });
      }

      check(`what is read at a start is there from the start of the code's process ${here}`, async ({ client }) => {
        const show = (env: Record<string, string>) => run(client, mode, `${language}-started`, "show", {}, { env });
        assert.deepEqual(await show({ FIXTURE_A: "x" }), { ...object(await show({})), hour: 9 });
        assert.deepEqual(await show(startWith[language].env), startWith[language].shown);
        assert.deepEqual(object(await show({})).hour, 9);
      });

      if (language === "javascript") {
        check(`code that needs a variable to be loaded gets it from the request ${here}`, async ({ client }) => {
          const entrypoint = "./needs-key.ts#keyed";
          const missing = await failure(run(client, mode, plugin, "", {}, { entrypoint }));
          assert.equal(missing.reason, "PLUGIN_INVALID");
          assert.match(missing.message, /FIXTURE_KEY is needed/);
          assert.equal(await run(client, mode, plugin, "", {}, { entrypoint, env: { FIXTURE_KEY: "k" } }), "k");
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
