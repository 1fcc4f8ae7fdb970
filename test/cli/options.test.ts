import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { helpText } from "../../src/cli/option-help.ts";
import { type Option, readArguments, readOptions } from "../../src/cli/options.ts";
import { UsageError } from "../../src/cli/usage-error.ts";

const table = [
  { name: "listen", type: "string", default: "127.0.0.1:50151", description: "Where to listen." },
  { name: "local", type: "string", choices: ["in-process", "worker", "off"], default: "worker", description: "How." },
  { name: "max-workers", type: "integer", default: 4, min: 1, max: 64, description: "How many workers." },
  { name: "grace", type: "duration", default: "3s", min: "10ms", max: "1h", description: "How long to wait." },
  { name: "max-result", type: "bytes", default: "4MiB", description: "The largest result." },
  { name: "plugins", type: "list", description: "Plugin roots." },
  { name: "insecure", type: "boolean", description: "Listen without TLS." },
  { name: "token", type: "string", env: "PLUGIN_RUNNER_SECRET", description: "The token." },
] as const satisfies readonly Option[];

const noFile = (path: string): string => assert.fail(`${path} was read`);

function faultsOf(args: string[], env = {}, file = ""): string[] {
  try {
    readOptions(table, args, env, () => file);
  } catch (error) {
    assert.ok(error instanceof UsageError);
    return error.message.split("\n");
  }
  return [];
}

describe("readOptions()", () => {
  test("keeps durations within their bounds", () => {
    assert.deepEqual(faultsOf(["--grace", "0s"]), ['--grace: expected at least 10ms, not "0s".']);
    assert.deepEqual(faultsOf(["--grace", "61m"]), ['--grace: expected at most 1h, not "61m".']);
    assert.deepEqual(faultsOf(["--grace", "1h"]), []);
  });

  test("fills in every default, durations in milliseconds and sizes in bytes", () => {
    assert.deepEqual(readOptions(table, [], {}, noFile), {
      listen: "127.0.0.1:50151",
      local: "worker",
      maxWorkers: 4,
      grace: 3000,
      maxResult: 4 * 1024 * 1024,
      plugins: [],
      insecure: false,
      token: undefined,
    });
  });

  test("types a choice, a number and an absent value by the table", () => {
    const options = readOptions(table, ["--local", "off"], {}, noFile);
    const local: "in-process" | "worker" | "off" = options.local;
    const maxWorkers: number = options.maxWorkers;
    const token: string | undefined = options.token;
    assert.deepEqual([local, maxWorkers, token], ["off", 4, undefined]);
  });

  test("prefers a flag to a variable, and a variable to the file", () => {
    const file = "max-workers: 1\ngrace: 1s\nlisten: a:1\n";
    const env = { PLUGIN_RUNNER_MAX_WORKERS: "2", PLUGIN_RUNNER_GRACE: "2s" };
    const options = readOptions(table, ["--config", "o.yaml", "--grace=3m"], env, () => file);
    assert.equal(options.listen, "a:1");
    assert.equal(options.maxWorkers, 2);
    assert.equal(options.grace, 180_000);
  });

  test("finds the file by PLUGIN_RUNNER_CONFIG too", () => {
    const options = readOptions(table, [], { PLUGIN_RUNNER_CONFIG: "x.yaml" }, (path) => `token: from-${path}`);
    assert.equal(options.token, "from-x.yaml");
  });

  test("reads a list from repeated flags, from commas in a variable and from a sequence", () => {
    const plugins = ["a", "b"];
    assert.deepEqual(readOptions(table, ["--plugins", "a", "--plugins=b"], {}, noFile).plugins, plugins);
    assert.deepEqual(readOptions(table, [], { PLUGIN_RUNNER_PLUGINS: "a, b" }, noFile).plugins, plugins);
    assert.deepEqual(readOptions(table, ["--config", "f"], {}, () => "plugins: [a, b]").plugins, plugins);
  });

  test("negates a boolean by --no-", () => {
    const env = { PLUGIN_RUNNER_INSECURE: "true" };
    assert.equal(readOptions(table, [], env, noFile).insecure, true);
    assert.equal(readOptions(table, ["--no-insecure"], env, noFile).insecure, false);
  });

  test("names the variable that an option chose for itself", () => {
    assert.equal(readOptions(table, [], { PLUGIN_RUNNER_SECRET: "s" }, noFile).token, "s");
  });

  test("says of every fault where the value came from", () => {
    const env = { PLUGIN_RUNNER_GRACE: "soon" };
    const file = "max-result: huge\ninsecure: maybe\n";
    assert.deepEqual(faultsOf(["--max-workers", "0", "--local", "in", "--config", "o.yaml"], env, file), [
      '--local: expected one of in-process, worker, off, not "in".',
      '--max-workers: expected at least 1, not "0".',
      'PLUGIN_RUNNER_GRACE: expected a duration like 500ms, 30s, 10m or 2h, not "soon".',
      'o.yaml:1:1: max-result: expected a size like 4096, 64KiB or 4MiB, not "huge".',
      'o.yaml:2:1: insecure: expected true or false, not "maybe".',
    ]);
  });

  test("suggests the nearest name for an unknown flag or key", () => {
    assert.deepEqual(faultsOf(["--max-worker", "3"]), [
      'Unknown option --max-worker. Did you mean "--max-workers"?',
      "Unexpected argument: 3.",
    ]);
    assert.deepEqual(faultsOf(["--config", "o.yaml"], {}, "\nplugin: x\n"), [
      'o.yaml:2:1: unknown option plugin. Did you mean "plugins"?',
    ]);
  });

  test("refuses a flag without its value", () => {
    assert.match(faultsOf(["--listen"])[0] ?? "", /^--listen needs a value/);
    assert.match(faultsOf(["--listen", "--insecure"])[0] ?? "", /^--listen needs a value/);
  });

  test("reports a file that cannot be read, is no YAML, or no mapping", () => {
    const gone = () => readOptions(table, ["--config", "/nowhere/o.yaml"], {});
    assert.throws(gone, { name: "UsageError", message: /cannot read \/nowhere\/o\.yaml/ });
    assert.match(faultsOf(["--config", "o.yaml"], {}, "a: [1")[0] ?? "", /^o\.yaml:1:6: /);
    assert.match(faultsOf(["--config", "o.yaml"], {}, "- a")[0] ?? "", /expected a mapping/);
    assert.deepEqual(faultsOf(["--config", "o.yaml"], {}, "listen: {a: 1}"), ["o.yaml:1:1: listen needs one value."]);
  });

  test("says every fault of a file at once, also beside what is no YAML", () => {
    assert.deepEqual(faultsOf(["--config", "o.yaml"], {}, "grace: 1s\nplugin: x\ngrace: soon\n"), [
      "o.yaml:3:1: Map keys must be unique",
      'o.yaml:2:1: unknown option plugin. Did you mean "plugins"?',
      'o.yaml:3:1: grace: expected a duration like 500ms, 30s, 10m or 2h, not "soon".',
    ]);
  });

  test("refuses a variable that was meant for it and names the nearest, but takes those of others", () => {
    assert.deepEqual(faultsOf([], { PLUGIN_RUNNER_MAX_WORKRES: "2" }), [
      'PLUGIN_RUNNER_MAX_WORKRES is no variable of this service. Did you mean "PLUGIN_RUNNER_MAX_WORKERS"?',
    ]);
    assert.deepEqual(
      faultsOf([], { PLUGIN_RUNNER_TOKEN: "t", PLUGIN_RUNNER_PORT_50151_TCP: "tcp://10.0.0.1:50151" }),
      [],
    );
  });

  test("takes an empty file and an empty variable for nothing", () => {
    assert.equal(readOptions(table, ["--config", "f"], { PLUGIN_RUNNER_GRACE: "" }, () => "").grace, 3000);
  });
});

describe("readArguments()", () => {
  test("returns arguments in order, those behind -- unread", () => {
    const { values, positionals } = readArguments(table, ["a", "--insecure", "b", "--", "--c"], {});
    assert.deepEqual(positionals, ["a", "b", "--c"]);
    assert.equal(values.insecure, true);
  });

  test("reads only the variables that the table names", () => {
    const env = { PLUGIN_RUNNER_SECRET: "s", PLUGIN_RUNNER_LISTEN: "other:1" };
    const { values } = readArguments(table, [], env);
    assert.deepEqual([values.token, values.listen], ["s", "127.0.0.1:50151"]);
  });
});

test("helpText() shows each flag with its value, default and variable", () => {
  const text = helpText(table);
  assert.match(text, / {2}--local in-process\|worker\|off\n {6}How\. \(default worker\)\n/);
  assert.match(text, / {2}--insecure\n/);
  assert.match(text, /The token\. \(environment PLUGIN_RUNNER_SECRET\)/);
  assert.match(text, /--plugins VALUE …/);
});
