import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { Dashboard } from "../../../src/engine/ray/dashboard.ts";
import { DashboardError, type DashboardFault } from "../../../src/engine/ray/dashboard-error.ts";
import { rayToken } from "../../../src/engine/ray/ray-auth.ts";
import type { Log } from "../../../src/util/log.ts";
import { FakeDashboard, type Reaction, type Seen } from "../../support/fake-dashboard.ts";
import { patience, patienceMs } from "../../support/limits.ts";

const version = { body: JSON.stringify({ ray_version: "2.60.0", session_name: "session_1" }) };
const traceback = 'Traceback (most recent call last):\n  File "job_head.py", line 419\nRuntimeError: secret cause\n';
const exists = `${traceback}ValueError: Job with submission_id a already exists. Please use a different submission_id.`;

const faults: readonly { title: string; reaction: Reaction; fault: DashboardFault }[] = [
  { title: "that never answers", reaction: "hang", fault: "timeout" },
  { title: "that drips", reaction: "drip", fault: "timeout" },
  { title: "that cuts connections", reaction: "reset", fault: "unreachable" },
  { title: "that answers HTML", reaction: { body: "<html>Welcome to the proxy</html>" }, fault: "unreadable" },
  { title: "that answers half a JSON", reaction: { body: '{"ray_version": "2.6' }, fault: "unreadable" },
  { title: "that answers other JSON", reaction: { body: "[1,2]" }, fault: "unreadable" },
  {
    title: "that redirects",
    reaction: { status: 302, headers: { location: "http://elsewhere/" } },
    fault: "unreadable",
  },
  { title: "that says 401", reaction: { status: 401, body: "Unauthorized" }, fault: "unauthorized" },
  { title: "that says 403", reaction: { status: 403, body: "Forbidden" }, fault: "unauthorized" },
  { title: "that says 413", reaction: { status: 413 }, fault: "too_large" },
  { title: "that says 429", reaction: { status: 429, headers: { "retry-after": "7" } }, fault: "busy" },
  {
    title: "that is a proxy with 404",
    reaction: { status: 404, body: "<h1>404 Not Found</h1>" },
    fault: "unreadable",
  },
  { title: "that is a proxy with 502", reaction: { status: 502 }, fault: "unreachable" },
  { title: "that is a proxy with 503", reaction: { status: 503 }, fault: "unreachable" },
  { title: "that is a proxy with 504", reaction: { status: 504 }, fault: "unreachable" },
  { title: "without an agent", reaction: { status: 500, body: "No available agent to submit job" }, fault: "busy" },
  { title: "that says 500 with a traceback", reaction: { status: 500, body: traceback }, fault: "failed" },
];

for (const { title, reaction, fault } of faults) {
  test(`a dashboard ${title} is ENGINE_UNAVAILABLE: ${fault}`, async (t) => {
    const { dashboard } = await open(t, () => reaction, { timeoutMs: 300 });
    await assert.rejects(dashboard.version(), (error) => {
      assert.ok(error instanceof DashboardError);
      assert.equal(error.reason, "ENGINE_UNAVAILABLE");
      assert.equal(error.fault, fault);
      assert.ok(error.retryAfterMs !== undefined && error.retryAfterMs > 0);
      return true;
    });
  });
}

test("a dashboard that is not there is ENGINE_UNAVAILABLE: unreachable", async (t) => {
  const { dashboard, fake } = await open(t, () => version);
  await fake[Symbol.asyncDispose]();
  await assert.rejects(dashboard.version(), { reason: "ENGINE_UNAVAILABLE", fault: "unreachable" });
});

test("a traceback goes to the log and not to the caller", async (t) => {
  const { dashboard, logged } = await open(t, () => ({ status: 500, body: traceback }));
  await assert.rejects(dashboard.version(), (error) => {
    assert.ok(error instanceof DashboardError);
    assert.doesNotMatch(JSON.stringify([error.message, error.metadata]), /Traceback|secret cause/);
    return true;
  });
  assert.match(JSON.stringify(logged), /secret cause/);
});

test("what a dashboard says again and again is told once in a while, and each other thing that it says", async (t) => {
  const { dashboard, logged } = await open(t, (_, nth) => ({
    status: 500,
    body: nth === 4 ? "ValueError" : traceback,
  }));
  for (let nth = 1; nth <= 5; nth++) await assert.rejects(dashboard.version(), { fault: "failed" });
  const warnings = JSON.stringify(logged);
  assert.equal(warnings.split("secret cause").length - 1, 1);
  assert.equal(warnings.split("ValueError").length - 1, 1);
});

test("Retry-After is passed on", async (t) => {
  const { dashboard } = await open(t, () => ({ status: 429, headers: { "retry-after": "7" } }));
  await assert.rejects(dashboard.version(), { retryAfterMs: 7000 });
});

test("a question is asked again once when its connection breaks, a submission is not", async (t) => {
  const { dashboard, fake } = await open(t, ({ method }, nth) => (method === "GET" && nth > 1 ? version : "reset"));
  assert.deepEqual(await dashboard.version(), { ray: "2.60.0", session: "session_1" });
  await assert.rejects(dashboard.submitJob(submission), { fault: "unreachable" });
  assert.equal(fake.count("POST", /./), 1);
});

test("a submission id that is taken is told from other failures", async (t) => {
  const { dashboard } = await open(t, () => ({ status: 500, body: exists }));
  await assert.rejects(dashboard.submitJob(submission), { fault: "exists" });
});

test("what is not there is undefined or false, not an error", async (t) => {
  const reaction = ({ path }: Seen): Reaction =>
    path.includes("/logs/")
      ? { status: 500, body: "A file is not found at: /tmp/ray/logs/x" }
      : {
          status: 404,
          body: path.includes("packages") ? "Package gcs://a.zip does not exist" : "Job a does not exist",
        };
  const { dashboard, logged } = await open(t, reaction);
  assert.equal(await dashboard.getJob("a"), undefined);
  assert.equal(await dashboard.stopJob("a"), false);
  assert.equal(await dashboard.deleteJob("a"), false);
  assert.equal(await dashboard.hasPackage("_ray_pkg_0.zip"), false);
  assert.equal(await dashboard.logFile({ nodeId: "n", filename: "x" }), undefined);
  assert.equal(await dashboard.streamLog({ nodeId: "n", filename: "x" }, patience()), undefined);
  assert.deepEqual(
    logged.filter(({ level }) => level !== "debug"),
    [],
  );
});

test("a page in the place of a log file is none", async (t) => {
  const page = { headers: { "content-type": "text/html" }, body: "<h1>Welcome</h1>" };
  const { dashboard } = await open(t, () => page);
  const file = { nodeId: "n", filename: "x" };
  await assert.rejects(dashboard.logFile(file), { fault: "unreadable" });
  await assert.rejects(dashboard.streamLog(file, patience()), { fault: "unreadable" });
});

test("ids are part of the path, never of its structure", async (t) => {
  const { dashboard, fake } = await open(t, () => ({ status: 404, body: "Job a does not exist" }));
  await dashboard.getJob("../v0/logs?x=/");
  assert.equal(fake.seen[0]?.path, "/api/jobs/..%2Fv0%2Flogs%3Fx%3D%2F");
});

test("a list has the jobs that were submitted", async (t) => {
  const rows = [
    { submission_id: "a", status: "RUNNING", message: "m", driver_node_id: "n", metadata: { plugin: "p" } },
    { submission_id: null, status: "RUNNING", type: "DRIVER" },
  ];
  const { dashboard } = await open(t, () => ({ body: JSON.stringify(rows) }));
  assert.deepEqual(await dashboard.listJobs(), [
    {
      submissionId: "a",
      entrypoint: "",
      status: "RUNNING",
      message: "m",
      errorType: "",
      exitCode: undefined,
      nodeId: "n",
      metadata: { plugin: "p" },
    },
  ]);
});

test("an aborted call rejects with the signal's reason", async (t) => {
  const { dashboard } = await open(t, () => "hang");
  const reason = new Error("enough");
  const stop = new AbortController();
  const asked = dashboard.version(stop.signal);
  stop.abort(reason);
  await assert.rejects(asked, reason);
});

test("the token is sent to the dashboard, and is read anew for each call", async (t) => {
  const dir = mkdtempSync(join(tmpdir(), "ray-token-"));
  t.after(() => rmSync(dir, { recursive: true }));
  const file = join(dir, "token");
  writeFileSync(file, "one\n");
  t.mock.property(process, "env", { ...process.env, RAY_AUTH_TOKEN: "", RAY_AUTH_TOKEN_PATH: file });
  const { dashboard, fake } = await open(t, () => version);
  await dashboard.version();
  writeFileSync(file, "two\n");
  await dashboard.version();
  assert.deepEqual(
    fake.seen.map(({ authorization }) => authorization),
    ["Bearer one", "Bearer two"],
  );
});

test("a file that was named for the token is read anew for each call, and has to have one", (t) => {
  const dir = mkdtempSync(join(tmpdir(), "ray-token-"));
  t.after(() => rmSync(dir, { recursive: true }));
  const tokenFile = join(dir, "token");
  for (const token of ["one", "two"]) {
    writeFileSync(tokenFile, `${token}\n`);
    assert.equal(rayToken({ tokenFile }, { RAY_AUTH_TOKEN: "other" }), token);
  }
  writeFileSync(tokenFile, "\n");
  assert.throws(() => rayToken({ tokenFile }, {}), { reason: "ENGINE_UNAVAILABLE", message: /--ray-token-file/ });
});

test("a token is looked for where Ray's own tools do", (t) => {
  const home = mkdtempSync(join(tmpdir(), "ray-home-"));
  t.after(() => rmSync(home, { recursive: true }));
  const env = { HOME: home, RAY_AUTH_TOKEN: "variable", RAY_AUTH_TOKEN_PATH: join(home, "absent") };
  assert.equal(rayToken({ token: "given" }, env), "given");
  assert.equal(rayToken({}, env), "variable");
  assert.throws(() => rayToken({}, { ...env, RAY_AUTH_TOKEN: undefined }), { reason: "ENGINE_UNAVAILABLE" });
  assert.equal(rayToken({}, { HOME: home }), undefined);
});

const submission = { submissionId: "a", entrypoint: "true", runtimeEnv: {}, metadata: {} };

async function open(
  t: TestContext,
  react: (seen: Seen, nth: number) => Reaction,
  { timeoutMs = patienceMs }: { timeoutMs?: number } = {},
) {
  const logged: { level: string; fields: unknown }[] = [];
  const log: Log = (level, message, fields) => void logged.push({ level, fields: [message, fields] });
  const fake = await FakeDashboard.start(react);
  const dashboard = new Dashboard({ address: `${fake.address}/some/path`, log, timeoutMs });
  t.after(async () => {
    await dashboard.close();
    await fake[Symbol.asyncDispose]().catch(() => {}); // a test may have ended it
  });
  return { dashboard, fake, logged };
}
