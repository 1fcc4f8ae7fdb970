import assert from "node:assert/strict";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { type TestContext, test } from "node:test";
import { LogSource } from "../../gen/ts/pluginrunner/v1/job_event_pb.ts";
import { type Job, JobState } from "../../gen/ts/pluginrunner/v1/job_pb.ts";
import { type Client, type JobHandle, RunnerError } from "../../src/client.ts";
import { PackageIndex } from "../support/package-index.ts";
import { startServer, type TestServer } from "../support/server.ts";

test("a job has its id while its environment is built, says so, and its params get defaults then", async (t) => {
  const { client, index } = await start(t);
  const job = await client.submitJob("greeter", "greet", { name: "you" });
  await index.asked;
  const { state, stateDetail, params } = await until(client, job, isBuilding);
  assert.deepEqual([state, params], [JobState.PENDING, { name: "you" }]);
  assert.match(stateDetail, /^building the environment/);
  const again = client.submitJob("greeter", "greet", { name: "you" }, { jobId: job.id });
  assert.equal((await again).id, job.id, "a submission that is repeated attaches");
  const other = client.submitJob("greeter", "greet", { name: "them" }, { jobId: job.id });
  await assert.rejects(other, isReason("JOB_ID_CONFLICT"));
  index.answer();
  assert.equal(await job.result(), "hello you!");
  assert.deepEqual((await client.getJob(job.id)).params, { name: "you", end: "!" });
  assert.ok((await buildLines(job)).some((line) => line.includes("tiny-greeting")));
  assert.equal(index.builds, 1);
});

test("params that only the code can judge are refused by the job, with every violation, after the build", async (t) => {
  const { client, index } = await start(t);
  const job = await client.submitJob("greeter", "greet", { name: 1, end: [] });
  index.answer();
  const error = await failureOf(job);
  assert.equal(error.reason, "PARAMS_INVALID");
  assert.deepEqual(error.violations.map(({ field }) => field).sort(), ["/params/end", "/params/name"]);
  await assert.rejects(client.submitJob("greeter", "greet", { name: 1 }), isReason("PARAMS_INVALID"));
});

test("params with a schema in the configuration, and actions that are not there, are refused at once", async (t) => {
  const { client } = await start(t);
  await assert.rejects(client.submitJob("greeter", "configured", { name: 1 }), isReason("PARAMS_INVALID"));
  await assert.rejects(client.submitJob("greeter", "gret", {}), isReason("ACTION_NOT_FOUND"));
  assert.deepEqual(await all(client.listJobs()), [], "nothing was recorded");
});

test("a schema that stands in code of JavaScript is asked after the build as well", async (t) => {
  const { client } = await start(t);
  const [wrong, right] = await Promise.all([
    client.submitJob("script", "greet", { name: 1 }),
    client.submitJob("script", "greet", { name: "you" }),
  ]);
  assert.equal((await failureOf(wrong)).reason, "PARAMS_INVALID");
  assert.equal(await right.result(), "hello you!");
  assert.deepEqual((await client.getJob(right.id)).params, { name: "you", end: "!" });
});

test("a cancel ends the build of a job that nobody else waits for, and the next one builds again", async (t) => {
  const { client, index, server } = await start(t);
  const job = await client.submitJob("greeter", "greet", { name: "you" });
  await index.asked;
  await client.cancelJob(job.id);
  assert.equal((await failureOf(job)).reason, "CANCELLED");
  const next = await client.submitJob("greeter", "greet", { name: "them" });
  const other = await client.submitJob("greeter", "greet", { name: "others" });
  for (const job of [next, other]) await until(client, job, isBuilding); // both wait for the one build
  await client.cancelJob(next.id);
  assert.equal((await failureOf(next)).reason, "CANCELLED");
  index.answer();
  assert.equal(await other.result(), "hello others!");
  assert.equal(server.log().split("building an environment").length - 1, 2);
});

for (const signal of ["SIGTERM", "SIGKILL"] as const) {
  test(`a build that ${signal} of the service ends is made again by the next service`, async (t) => {
    const { client, index, server } = await start(t);
    const job = await client.submitJob("greeter", "greet", { name: "you" }, { jobId: "kept" });
    await index.asked;
    await server.end(signal);
    await server.start();
    const same = await client.submitJob("greeter", "greet", { name: "you" }, { jobId: "kept" });
    assert.equal(same.id, job.id);
    index.answer();
    assert.equal(await same.result(), "hello you!");
  });
}

test("a build that fails is the job's error, with what decided first, and is not made again", async (t) => {
  const { client, index, server } = await start(t, "no-such-thing-at-all==9");
  index.answer();
  for (const name of ["one", "two"]) {
    const job = await client.submitJob("greeter", "greet", { name });
    const error = await failureOf(job);
    assert.equal(error.reason, "PLUGIN_INVALID");
    assert.match(error.message, /cannot be built: No matching distribution found for no-such-thing-at-all==9\n/);
    assert.ok((await buildLines(job)).some((line) => line.includes("no-such-thing-at-all")));
  }
  assert.equal(server.log().split("building an environment").length - 1, 1);
});

test("a build that takes longer than --build-timeout is the job's error", async (t) => {
  const { client } = await start(t, undefined, ["--build-timeout", "1s"]);
  const error = await failureOf(await client.submitJob("greeter", "greet", { name: "you" }));
  assert.equal(error.reason, "PLUGIN_INVALID");
  assert.match(error.message, /longer than 1 s/);
});

test("code that takes long to load keeps no job from its id: its verdict on the params is the job's", async (t) => {
  const { client, root } = await start(t);
  const wrong = client.submitJob("slow", "double", { number: "two" });
  const right = client.submitJob("slow", "double", { number: 2 });
  const jobs = await Promise.all([wrong, right]);
  assert.deepEqual(
    (await all(client.listJobs())).map(({ state }) => state),
    [JobState.PENDING, JobState.PENDING],
  );
  writeFileSync(join(root, "go"), "");
  assert.equal((await failureOf(jobs[0])).reason, "PARAMS_INVALID");
  assert.equal(await jobs[1].result(), 4);
});

test("a call whose deadline passes while it waits for a build says so, and a later one finds it done", async (t) => {
  const { client, index } = await start(t);
  const called = [
    client.runPlugin("greeter", "greet", { name: "you" }, { timeoutMs: 5000, requestId: "one" }),
    client.runPlugin("greeter", "greet", { name: "you" }, { timeoutMs: 5000, mode: "task" }),
    client.validateParams("greeter", "greet", { name: "you" }),
  ];
  const [local, task] = await Promise.all(called.slice(0, 2).map((call) => call.catch((error: unknown) => error)));
  for (const error of [local, task]) {
    assert.ok(error instanceof RunnerError, String(error));
    assert.deepEqual([error.reason, error.metadata.started], ["DEADLINE", "false"]);
    assert.match(error.message, /^Plugin greeter is still building the environment.* try again\.$/);
  }
  index.answer();
  assert.equal(await client.runPlugin("greeter", "greet", { name: "you" }, { requestId: "one" }), "hello you!");
  assert.deepEqual(await called[2], await client.validateParams("greeter", "greet", { name: "you" }));
  assert.equal(index.builds, 1);
});

/** A service with a plugin whose requirements come from an index that is held. */
async function start(t: TestContext, requirement = "tiny-greeting==1.0", args: readonly string[] = []) {
  const root = mkdtempSync(join(tmpdir(), "job-builds-"));
  t.after(() => rmSync(root, { recursive: true, force: true }));
  const index = await PackageIndex.start(root);
  t.after(() => index[Symbol.asyncDispose]());
  const options = JSON.stringify(index.options);
  const schema = "{ type: object, properties: { name: { type: string } } }";
  const files = {
    "config.yaml": [
      `name: Greeter\ncode: greeter\npackage_manager: pip\npackage_manager_options: ${options}\nactions:`,
      "  greet: { entrypoint: plugin.main:greet }",
      `  configured: { entrypoint: plugin.main:greet, params: ${schema} }\n`,
    ].join("\n"),
    "requirements.txt": `${requirement}\n`,
    "plugin/__init__.py": "",
    "plugin/main.py": [
      "import tiny_greeting",
      "",
      "def greet(name: str, end: str = '!') -> str:",
      "    return f'{tiny_greeting.text} {name}{end}'",
      "",
    ].join("\n"),
  };
  write(join(root, "greeter"), files);
  write(join(root, "script"), script);
  write(join(root, "slow"), slow(join(root, "go")));
  const server: TestServer = await startServer({ roots: [root], args });
  t.after(() => server[Symbol.asyncDispose]());
  return { client: server.client, index, server, root };
}

/** JavaScript that needs a package, and has its schema in code. */
const script = {
  "config.yaml": "name: Script\ncode: script\nactions:\n  greet: { entrypoint: ./index.ts#greet }\n",
  "package.json": JSON.stringify({ type: "module", dependencies: { tiny: "file:./vendor/tiny" } }),
  "vendor/tiny/package.json": JSON.stringify({ name: "tiny", version: "1.0.0", main: "index.js" }),
  "vendor/tiny/index.js": "exports.text = 'hello';\n",
  "index.ts": `import { defineAction } from "plugin-runner";
import tiny from "tiny";

export const greet = defineAction({
  params: { type: "object", properties: { name: { type: "string" }, end: { type: "string", default: "!" } } },
  run: ({ name, end }) => \`\${tiny.text} \${name}\${end}\`,
});
`,
};

/** A plugin whose import waits for a file. */
function slow(file: string): Record<string, string> {
  return {
    "config.yaml": "name: Slow\ncode: slow\nactions:\n  double: { entrypoint: plugin.main:double }\n",
    "plugin/__init__.py": "",
    "plugin/main.py": [
      "import os, time",
      `while not os.path.exists(${JSON.stringify(file)}):`,
      "    time.sleep(0.05)",
      "",
      "def double(number: int) -> int:",
      "    return 2 * number",
      "",
    ].join("\n"),
  };
}

function write(folder: string, files: Readonly<Record<string, string>>): void {
  for (const [name, text] of Object.entries(files)) {
    mkdirSync(dirname(join(folder, name)), { recursive: true });
    writeFileSync(join(folder, name), text);
  }
}

function isBuilding({ stateDetail }: Job): boolean {
  return stateDetail.startsWith("building");
}

/** The job as it is once it fits. */
async function until(client: Client, job: JobHandle, fits: (job: Job) => boolean) {
  for await (const _ of job.events()) {
    const now = await client.getJob(job.id);
    if (fits(now)) return now;
  }
  throw new Error("The job has ended.");
}

async function buildLines(job: JobHandle): Promise<string[]> {
  const lines: string[] = [];
  for await (const { payload } of job.events()) {
    if (payload.case === "log" && payload.value.source === LogSource.BUILD) lines.push(payload.value.message);
  }
  return lines;
}

async function failureOf(job: JobHandle): Promise<RunnerError> {
  const error: unknown = await job.result().then(
    () => undefined,
    (thrown: unknown) => thrown,
  );
  assert.ok(error instanceof RunnerError, String(error));
  return error;
}

function isReason(reason: string) {
  return (error: unknown) => error instanceof RunnerError && error.reason === reason;
}

async function all<T>(items: AsyncIterable<T>): Promise<T[]> {
  const found: T[] = [];
  for await (const item of items) found.push(item);
  return found;
}
