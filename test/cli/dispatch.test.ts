import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { command } from "./command.ts";

const verbs = ["serve", "run", "submit", "watch", "jobs", "cancel", "plugins", "validate", "init"];

test("help lists every verb and what the exit codes mean", async () => {
  for (const args of [["help"], ["--help"], []]) {
    const { code, out } = await command(args);
    assert.equal(code, 0);
    for (const verb of verbs) assert.match(out, new RegExp(`^ {2}${verb} `, "m"));
    assert.match(out, /^ {4}4 {2}the params or the request are invalid$/m);
  }
});

describe("help of a verb", () => {
  for (const verb of verbs) {
    test(`${verb} shows its usage, options and examples`, async () => {
      const { code, out } = await command(["help", verb]);
      assert.equal(code, 0);
      assert.match(out, new RegExp(`^Usage: plugin-runner ${verb} `));
      assert.match(out, new RegExp(`^ {2}plugin-runner ${verb} [^]*$`, "m"));
      assert.match(out, /^ {2}--[a-z]/m);
      assert.deepEqual(await command([verb, "--help"]), { code: 0, out, err: "" });
    });
  }
});

test("help of serve shows the file of options and the variable that names it", async () => {
  const { out } = await command(["help", "serve"]);
  assert.match(out, /^ {2}--config FILE\n {6}A YAML file with options.*\(environment PLUGIN_RUNNER_CONFIG\)$/m);
});

test("--version prints the version", async () => {
  assert.match((await command(["--version"])).out, /^\d+\.\d+\.\d+\n$/);
});

test("an unknown verb is a usage error that suggests the nearest one", async () => {
  const { code, out, err } = await command(["sumbit"]);
  assert.deepEqual([code, out], [2, ""]);
  assert.equal(err, 'error: Unknown verb: sumbit. Did you mean "submit"?\n');
});

test("what others call a verb leads to the verb", async () => {
  for (const [other, verb] of [
    ["logs", "watch JOB"],
    ["rerun", "submit"],
    ["ps", "jobs"],
    ["version", ""],
  ] as const) {
    const { code, err } = await command([other]);
    if (verb === "") assert.equal(code, 0);
    else assert.match(err, new RegExp(`^error: Unknown verb: ${other}\\. See \`plugin-runner ${verb}`));
  }
});

const misuses: [args: string[], message: RegExp][] = [
  [["run"], /Name the plugin and the action/],
  [["run", "p"], /Name the action/],
  [["run", "p", "a", "b"], /Unexpected argument: b/],
  [["run", "p", "a", "--mod", "task"], /Unknown option --mod\. Did you mean "--mode"/],
  [["run", "p", "a", "--mode", "fast"], /--mode: expected one of local, task, job, not "fast"/],
  [["run", "p", "a", "--param", "x"], /--param: expected NAME=VALUE/],
  [["run", "p", "a", "--params", "{"], /--params: .*JSON/],
  [["run", "p", "a", "--params", "[1]"], /--params: expected a JSON object/],
  [["run", "p", "a", "--params", "@/nowhere.json"], /--params: cannot read \/nowhere\.json/],
  [["run", "p", "a", "--token-file", "/nowhere"], /--token-file: cannot read/],
  [["submit", "p", "a", "--timeout", "soon"], /--timeout: expected a duration/],
  [["watch"], /Name the job/],
  [["watch", "a", "b"], /One job at a time/],
  [["jobs", "lst"], /Unknown command: jobs lst\. Did you mean "ls"/],
  [["jobs", "--state", "done"], /--state: expected one of pending, running/],
  [["plugins", "info"], /Unknown command: plugins info/],
  [["init", "1st-plugin"], /starts with a letter; 1st-plugin does not/],
];

for (const [args, message] of misuses) {
  test(`${args.join(" ")} is a usage error`, async () => {
    const { code, out, err } = await command(args);
    assert.equal(code, 2, err);
    assert.equal(out, "");
    assert.match(err, message);
  });
}

test("with --json a mistake of the command line is a short document, too", async () => {
  const { code, out } = await command(["run", "--json", "p", "a", "--bogus"]);
  assert.equal(code, 2);
  assert.match(JSON.parse(out).error.message, /^Unknown option --bogus[^\n]*$/);
});

test("without a service the error says how to start one, and --json prints it as a document", async () => {
  const { code, out, err } = await command(["plugins", "--json"]);
  assert.equal(code, 5);
  assert.match(
    err,
    /^error: No answer from 127\.0\.0\.1:1: .* \[UNAVAILABLE\]\nStart a service with `plugin-runner serve/,
  );
  assert.equal(JSON.parse(out).error.reason, "UNAVAILABLE");
});
