import assert from "node:assert/strict";
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { after } from "node:test";
import type { RunnerError } from "../../src/client.ts";
import type { TestServer } from "../support/server.ts";
import type { Engine, Group } from "./engine.ts";
import { everywhere, failure, languages, run } from "./run.ts";

type Language = (typeof languages)[number];

const seconds = 3;
const limit = ["--load-timeout", `${seconds}s`];

/** Modules that are never imported to their end. The last one is where only a job imports it: the params are checked before. */
const stuck = {
  python: {
    "looping.py": "while True:\n    pass\n",
    "sleeping.py": "import time\ntime.sleep(1e6)\n",
    "in_job.py": "import sys\nwhile 'plugin_runner.job_child' in sys.modules:\n    pass\ndef go(): pass\n",
    "well.py": "def go():\n    return 7\n",
  },
  javascript: {
    "looping.ts": "while (true);\n",
    "sleeping.ts": "setInterval(() => {}, 1000);\nawait new Promise(() => {});\n",
    "in_job.ts": "setInterval(() => {}, 1000);\nawait new Promise(() => {});\n",
    "well.ts": "export function go() {\n  return 7;\n}\n",
    "never.ts": "await new Promise(() => {});\n",
  },
};

const entrypoint = { python: (name: string) => `${name}:go`, javascript: (name: string) => `./${name}.ts#go` };
const ending = { python: "py", javascript: "ts" };

/** Code that is never loaded is given up in the same way wherever it is loaded. */
export const loading: Group = {
  subject: "loading",
  concurrency: 2,
  cases(check) {
    let started: Promise<TestServer> | undefined;
    const limited = async ({ start, scratch }: Engine) => {
      started ??= start({ roots: [join(scratch, "loading")], args: limit });
      return (await started).client;
    };
    after(async () => (await started)?.[Symbol.asyncDispose]());

    for (const { language, mode } of everywhere) {
      check(
        `code that does not get loaded in time is given up, and the next is run (${language}, ${mode})`,
        async (engine) => {
          const code = write(engine, language, mode);
          const client = await limited(engine);
          const action = mode === "job" ? "in_job" : "sleeping";
          told(await failure(run(client, mode, code, action)), code, `${action}.${ending[language]}`);
          assert.equal(await run(client, mode, code, "well"), 7);
        },
      );

      check(`a run's own timeout that is shorter comes first (${language}, ${mode})`, async (engine) => {
        const code = write(engine, language, `${mode}-short`);
        const action = mode === "job" ? "in_job" : "sleeping";
        const error = await failure(run(await limited(engine), mode, code, action, {}, { timeoutMs: 500 }));
        assert.equal(error.reason, "DEADLINE", error.message);
      });
    }

    for (const mode of ["local", "task"] as const) {
      for (const language of languages) {
        if (mode === "local" && language === "javascript") continue; // in the service's own process a loop ends it
        check(
          `those that wait for code that loops get the same word, at the same time (${language}, ${mode})`,
          async (engine) => {
            const code = write(engine, language, `${mode}-loop`);
            const client = await limited(engine);
            const all = Array.from({ length: 6 }, () => failure(run(client, mode, code, "looping")));
            for (const error of await Promise.all(all)) told(error, code, `looping.${ending[language]}`);
          },
        );
      }
    }

    for (const language of languages) {
      check(`a look into code that does not get loaded ends (${language}, schema)`, async (engine) => {
        const code = write(engine, language, "look");
        const client = await limited(engine);
        const error = await failure(client.getPlugin(code));
        assert.equal(error.reason, "PLUGIN_INVALID");
        assert.match(
          error.message,
          new RegExp(`^The code of ${code}.* is not loaded after ${seconds} s\\..*--load-timeout`),
        );
      });
    }

    check(
      "params that code does not get loaded for, or does not come to an end with, are given up (python, schema)",
      async (engine) => {
        const code = write(engine, "python", "check");
        const client = await limited(engine);
        told(await failure(client.validateParams(code, "sleeping", {})), code, "sleeping.py");
        const error = await failure(client.validateParams(code, "checking", { n: 1 }));
        assert.match(
          error.message,
          new RegExp(`^The code of ${code} \\(checking\\.py\\) has not checked the params after`),
        );
        assert.equal(error.metadata.option, "--load-timeout");
      },
    );

    for (const mode of ["task", "job"] as const) {
      check(`an import that waits for nothing is told at once (javascript, ${mode})`, async (engine) => {
        const code = write(engine, "javascript", `${mode}-never`);
        const error = await failure(run(await limited(engine), mode, code, "never"));
        assert.equal(error.reason, "PLUGIN_INVALID");
        assert.match(error.message, new RegExp(`^The code of ${code} \\(never\\.ts\\) never gets loaded`));
      });
    }
  },
};

function told(error: RunnerError, code: string, file: string): void {
  assert.equal(error.reason, "PLUGIN_INVALID");
  assert.match(error.message, new RegExp(`^The code of ${code} \\(${file}\\) is not loaded after ${seconds} s\\. `));
  assert.match(error.message, /--load-timeout\.$/);
  const { plugin, file: at, timeout_seconds: after, option } = error.metadata;
  assert.deepEqual({ plugin, at, after, option }, { plugin: code, at: file, after: "3", option: "--load-timeout" });
}

const checking = `from dataclasses import dataclass
@dataclass
class Params:
    n: int
    def __post_init__(self):
        while True:
            pass
def go(params: Params): pass
`;

/** Writes a plugin of all these modules, and returns its code. Its configuration has the schemas that JavaScript's code would be asked for. */
function write({ scratch }: Engine, language: Language, name: string): string {
  const code = `stuck-${language}-${name}`;
  const folder = join(scratch, "loading", code);
  mkdirSync(folder, { recursive: true });
  const files = { ...stuck[language], ...(language === "python" && { "checking.py": checking }) };
  const schema = language === "javascript" ? ", params: { type: object }" : "";
  const actions = Object.keys(files).map((file) => {
    const action = file.slice(0, -3);
    return `  ${action}: { entrypoint: "${entrypoint[language](action)}"${schema} }`;
  });
  for (const [file, text] of Object.entries(files)) writeFileSync(join(folder, file), text);
  writeFileSync(join(folder, "config.yaml"), `name: Stuck\ncode: ${code}\nactions:\n${actions.join("\n")}\n`);
  return code;
}
