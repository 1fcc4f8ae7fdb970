import assert from "node:assert/strict";
import { mkdirSync, utimesSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { ActionNotFoundError } from "../../src/client.ts";
import { fixtures } from "../support/server.ts";
import { CallersPort } from "./callers-port.ts";
import type { Engine, Group } from "./engine.ts";
import { everywhere, failure, languages, modes, run } from "./run.ts";

/** Which code a request means, and that it is this code that runs. */
export const code: Group = {
  subject: "code",
  concurrency: 4,
  cases(check) {
    for (const { language, mode } of everywhere) {
      const here = `(${language}, ${mode})`;
      const versioned = `${language}-versioned`;

      check(
        `of several versions the highest runs, unless one is named, and they never mix ${here}`,
        async ({ client }) => {
          const asked = [versioned, `${versioned}@1.0.0`, `${versioned}@2.0.0`, versioned, `${versioned}@1.0.0`];
          const ran = await Promise.all(asked.map((plugin) => run(client, mode, plugin, "version")));
          assert.deepEqual(ran, ["2.0.0", "1.0.0", "2.0.0", "2.0.0", "1.0.0"]);
        },
      );

      check(`a version that is asked for is never replaced by another ${here}`, async (engine) => {
        const { client } = engine;
        const plugin = `pinned-${language}-${mode}`;
        const files = (version: string) => {
          const { "config.yaml": config = "", ...code } = changing[language](plugin, version);
          return { "config.yaml": `${config}version: ${version}\n`, ...code };
        };
        await write(engine, plugin, files("1.0.0"));
        assert.equal(await run(client, mode, `${plugin}@1.0.0`, "now"), "1.0.0");
        assert.equal(await run(client, mode, plugin, "now"), "1.0.0");
        await write(engine, plugin, files("2.0.0"));
        assert.equal(await run(client, mode, plugin, "now"), "2.0.0");
        const error = await failure(run(client, mode, `${plugin}@1.0.0`, "now"));
        assert.deepEqual([error.reason, error.metadata.available], ["PLUGIN_NOT_FOUND", "2.0.0"]);
      });

      check(`a folder, its config.yaml, and a module are references too ${here}`, async ({ client }) => {
        const folder = join(fixtures, language, "versioned-1");
        assert.equal(await run(client, mode, folder, "version"), "1.0.0");
        assert.equal(await run(client, mode, join(folder, "config.yaml"), "version"), "1.0.0");
        const module = `${language}.modules.greeting`;
        assert.equal(await run(client, mode, module, "greet", { name: "you" }), "Hello you");
        assert.equal(await run(client, mode, module, "greet"), "Hello world");
        assert.equal(await run(client, mode, module, "farewell"), "Bye");
      });

      check(`an entrypoint names code that is no declared action ${here}`, async ({ client }) => {
        const entrypoint = language === "python" ? "plugin.params:undeclared" : "./params.ts#undeclared";
        const params = { anything: 1 };
        assert.deepEqual(await run(client, mode, `${language}-params`, "", params, { entrypoint }), params);
      });

      check(`an unknown plugin or action is named, with the nearest that there is ${here}`, async ({ client }) => {
        const plugin = await failure(run(client, mode, `${language}-versionned`, "version"));
        assert.ok(plugin instanceof ActionNotFoundError);
        assert.deepEqual([plugin.reason, plugin.metadata.nearest], ["PLUGIN_NOT_FOUND", versioned]);
        const version = await failure(run(client, mode, `${versioned}@3.0.0`, "version"));
        assert.deepEqual([version.reason, version.metadata.available], ["PLUGIN_NOT_FOUND", "2.0.0, 1.0.0"]);
        const action = await failure(run(client, mode, versioned, "verzion"));
        assert.ok(action instanceof ActionNotFoundError);
        assert.deepEqual([action.reason, action.metadata.nearest], ["ACTION_NOT_FOUND", "version"]);
        const params = await failure(run(client, mode, `${language}-params`, "codet"));
        assert.deepEqual([params.reason, params.metadata.available], ["ACTION_NOT_FOUND", "coded, configured, open"]);
      });

      check(
        `changed files are run by the next call, while a call in flight ends on the old ${here}`,
        async (engine) => {
          const { client } = engine;
          const plugin = `changing-${language}-${mode}`;
          await write(engine, plugin, changing[language](plugin, "old"));
          await using port = await CallersPort.open();
          const inFlight = run(client, mode, plugin, "when_told", { port: port.number });
          const action = await port.connection();
          await write(engine, plugin, changing[language](plugin, "new"));
          assert.equal(await run(client, mode, plugin, "now"), "new");
          action.send("go");
          assert.equal(await inFlight, "old");
          await write(engine, plugin, changing[language](plugin, "newest"));
          assert.equal(await run(client, mode, plugin, "now"), "newest");
        },
      );

      check(`a file of the same size and time is not taken for the one that it replaced ${here}`, async (engine) => {
        for (const action of language === "python" ? ["now", "in_child"] : ["now"]) {
          const plugin = `same-time-${language}-${mode}-${action}`;
          for (const text of ["one", "two", "six"]) {
            await write(engine, plugin, changing[language](plugin, text), new Date(2020, 1));
            assert.equal(await run(engine.client, mode, plugin, action), text);
          }
        }
      });

      check(
        `code that cannot be loaded is PLUGIN_INVALID and says where, until it is mended ${here}`,
        async (engine) => {
          const { client } = engine;
          const plugin = `broken-${language}-${mode}`;
          for (const { files, file, problem } of broken[language](plugin)) {
            await write(engine, plugin, files);
            const error = await failure(run(client, mode, plugin, "run"));
            assert.equal(error.reason, "PLUGIN_INVALID");
            assert.match(error.message, problem);
            assert.equal(error.metadata.file, file);
            assert.ok(Number(error.metadata.line) > 0, error.metadata.line);
          }
          await write(engine, plugin, changing[language](plugin, "mended"));
          assert.equal(await run(client, mode, plugin, "now"), "mended");
        },
      );
    }

    for (const mode of modes) {
      check(`a module in a root does not see its neighbours before the standard library (${mode})`, async (engine) => {
        const head = "from plugin_runner import action\n";
        const roll = `${head}import random\n\n@action\ndef roll():\n    return random.randint(3, 3)\n`;
        await write(engine, "", { "random.py": `${head}\n@action\ndef hi(): ...\n`, [`uses_${mode}.py`]: roll });
        assert.equal(await run(engine.client, mode, `uses_${mode}`, "roll"), 3);
        assert.equal((await failure(run(engine.client, mode, "random", "hi"))).reason, "PLUGIN_INVALID");
      });

      check(`of two actions of one name none is run, and those that a program makes are (${mode})`, async (engine) => {
        const plugin = `twice-${mode}`;
        const hi = "from plugin_runner import action\n\n@action\ndef hi():\n    return __name__\n";
        const made =
          "\ndef make(name):\n    @action(name=name)\n    def inner():\n        return name\n    return inner\n";
        await write(engine, plugin, {
          "config.yaml": `name: Twice\ncode: ${plugin}\n`,
          "a.py": hi,
          "b.py": `${hi}${made}\nmade = make("made")\n`,
          "inner/config.yaml": `name: Inner\ncode: inner-${mode}\n`,
          "inner/main.py": hi.replace("def hi", "def only_inner"),
        });
        const { client } = engine;
        assert.equal((await failure(run(client, mode, plugin, "hi"))).reason, "PLUGIN_INVALID");
        assert.equal(await run(client, mode, plugin, "hi", {}, { entrypoint: "b:hi" }), "b");
        assert.equal(await run(client, mode, plugin, "made"), "made");
        assert.equal((await failure(run(client, mode, plugin, "only_inner"))).reason, "ACTION_NOT_FOUND");
      });
    }

    for (const language of languages) {
      check(`a job runs what was there when it was submitted (${language})`, async (engine) => {
        const { client } = engine;
        const plugin = `submitted-${language}`;
        await write(engine, plugin, changing[language](plugin, "old"));
        const old = await client.submitJob(plugin, "now");
        await write(engine, plugin, changing[language](plugin, "new"));
        const young = await client.submitJob(plugin, "now");
        await write(engine, plugin, changing[language](plugin, "newest"));
        assert.deepEqual(await Promise.all([old.result(), young.result()]), ["old", "new"]);
        assert.notEqual((await client.getJob(old.id)).pluginDigest, (await client.getJob(young.id)).pluginDigest);
      });

      check(
        `a plugin in use whose configuration breaks says where, and runs again when mended (${language})`,
        async (engine) => {
          const { client } = engine;
          const plugin = `unconfigured-${language}`;
          const files = changing[language](plugin, "fine");
          await write(engine, plugin, files);
          const folder = join(engine.scratch, plugin);
          assert.equal(await run(client, "task", folder, "now"), "fine");
          await write(engine, plugin, { "config.yaml": "name: Broken\ncode: [\n" });
          for (const mode of modes) {
            const error = await failure(run(client, mode, folder, "now"));
            assert.equal(error.reason, "PLUGIN_INVALID", mode);
            assert.equal(error.metadata.file, "config.yaml");
            assert.ok(Number(error.metadata.line) > 0 && Number(error.metadata.column) > 0);
          }
          await write(engine, plugin, files);
          assert.equal(await run(client, "task", folder, "now"), "fine");
        },
      );

      check(`the same is described as is run: actions, schemas, descriptions (${language})`, async ({ client }) => {
        const { actions } = await client.getPlugin(`${language}.modules.greeting`);
        assert.deepEqual(
          actions.map(({ name, description }) => [name, description]),
          [
            ["farewell", "Says goodbye."],
            ["greet", "Greets somebody."],
          ],
        );
        const greet = actions.find(({ name }) => name === "greet");
        assert.deepEqual(greet?.paramsSchema?.properties, { name: { type: "string", default: "world" } });
      });
    }

    check("plugins and actions whose import is slow are loaded once for many callers", async (engine) => {
      const { client } = engine;
      await using port = await CallersPort.open();
      const plugin = "slow-import";
      await write(engine, plugin, slowImport(plugin, port.number));
      const calls = Array.from({ length: 4 }, () => run(client, "local", plugin, "run"));
      (await port.connection()).send("go");
      assert.deepEqual(await Promise.all(calls), [1, 2, 3, 4]);
    });
  },
};

type Files = Readonly<Record<string, string>>;

/** Two actions that say which version of the code they are. */
const changing = {
  python: (plugin: string, text: string): Files => ({
    "config.yaml": `name: Changing\ncode: ${plugin}\nactions:\n  now: { entrypoint: plugin.main:now }\n  when_told: { entrypoint: plugin.main:when_told }\n  in_child: { entrypoint: plugin.main:in_child }\n`,
    "plugin/__init__.py": "",
    "plugin/text.py": `TEXT = "${text}"\n`,
    "plugin/main.py": [
      "from socket import create_connection",
      "",
      "def now():",
      "    from plugin.text import TEXT",
      "    return TEXT",
      "",
      "def when_told(port: int):",
      "    from plugin.text import TEXT",
      "    create_connection(('127.0.0.1', port)).makefile().readline()",
      "    return TEXT",
      "",
      "def in_child():",
      "    import subprocess, sys",
      "    said = 'from plugin.text import TEXT; print(TEXT)'",
      "    return subprocess.run([sys.executable, '-c', said], capture_output=True, text=True).stdout.strip()",
      "",
    ].join("\n"),
  }),
  javascript: (plugin: string, text: string): Files => ({
    "config.yaml": `name: Changing\ncode: ${plugin}\nactions:\n  now: { entrypoint: ./main.ts#now }\n  when_told: { entrypoint: ./main.ts#when_told }\n`,
    "text.ts": `export const text: string = "${text}";\n`,
    "main.ts": [
      'import { once } from "node:events";',
      'import { connect } from "node:net";',
      'import { text } from "./text.ts";',
      "export const now = () => text;",
      "export async function when_told({ port }: { port: number }) {",
      '  const caller = connect(port, "127.0.0.1");',
      '  await once(caller, "data");',
      "  caller.destroy();",
      "  return text;",
      "}",
      "",
    ].join("\n"),
  }),
};

interface Broken {
  files: Files;
  file: string;
  problem: RegExp;
}

const broken = {
  python: (plugin: string): Broken[] => [
    {
      files: {
        "config.yaml": `name: Broken\ncode: ${plugin}\nactions:\n  run: { entrypoint: plugin.main:run }\n`,
        "plugin/__init__.py": "",
        "plugin/main.py": "import json\n\nimport a_module_that_nobody_has\n",
      },
      file: "plugin/main.py",
      problem: /a_module_that_nobody_has/,
    },
    {
      files: { "plugin/main.py": "def run():\n    return (1,\n" },
      file: "plugin/main.py",
      problem: /never closed|unexpected EOF|SyntaxError/,
    },
    {
      files: { "plugin/main.py": "def run():\n    pass\n\n\nraise SystemExit('no')\n" },
      file: "plugin/main.py",
      problem: /exit/,
    },
  ],
  javascript: (plugin: string): Broken[] => [
    {
      files: {
        "config.yaml": `name: Broken\ncode: ${plugin}\nactions:\n  run: { entrypoint: ./main.ts#run }\n`,
        "main.ts": 'import { absent } from "a-package-that-nobody-has";\n\nexport const run = () => absent;\n',
      },
      file: "main.ts",
      problem: /a-package-that-nobody-has/,
    },
    {
      files: { "main.ts": "export function run() {\n  return (1;\n}\n" },
      file: "main.ts",
      problem: /SyntaxError|Expected|Unexpected/,
    },
    {
      files: { "main.ts": 'export const run = () => 1;\n\nthrow new TypeError("not today");\n' },
      file: "main.ts",
      problem: /not today/,
    },
  ],
};

function slowImport(plugin: string, port: number): Files {
  return {
    "config.yaml": `name: Slow\ncode: ${plugin}\nactions:\n  run: { entrypoint: plugin.main:run }\n`,
    "plugin/__init__.py": "",
    "plugin/main.py": [
      "from socket import create_connection",
      `create_connection(("127.0.0.1", ${port})).makefile().readline()`,
      "calls = 0",
      "",
      "def run():",
      "    global calls",
      "    calls += 1",
      "    return calls",
      "",
    ].join("\n"),
  };
}

/** The system tells the service of changes in a moment of its own, which lies before the answer to a call. */
async function write({ client, scratch }: Engine, plugin: string, files: Files, time?: Date): Promise<void> {
  for (const [name, text] of Object.entries(files)) {
    const path = join(scratch, plugin, name);
    mkdirSync(dirname(path), { recursive: true });
    writeFileSync(path, text);
    if (time) utimesSync(path, time, time);
  }
  await client.serverInfo();
}
