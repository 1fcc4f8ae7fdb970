import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { Dashboard } from "../../../src/engine/ray/dashboard.ts";
import { createRayJobEngine } from "../../../src/engine/ray/job-engine.ts";
import { endOf, waitingFor } from "../../../src/engine/ray/job-states.ts";
import { StreamBudget } from "../../../src/engine/ray/stream-budget.ts";
import { silentLog } from "../../../src/util/log.ts";
import { tempTree } from "../../plugin/temp-tree.ts";
import { FakeDashboard, type Reaction, type Seen } from "../../support/fake-dashboard.ts";
import { patience } from "../../support/limits.ts";

/** As the engine knows a job `j`. */
const id = "j-01234567";
const own = { job_id: "j", submitted_by: "plugin-runner" };
const givenUp = { ...own, plugin_runner_given_up: "true" };
const exists = { status: 500, body: "Job with submission_id j-01234567 already exists." };
const never = () => Promise.reject(new Error("must not be loaded"));

test("a job of the id that is somebody else's is JOB_ID_CONFLICT, and is not touched", async (t) => {
  const { engine, fake } = await open(t, () => row({ status: "RUNNING", metadata: { submitted_by: "me" } }));
  const starting = engine.start(id, never, () => {}, patience());
  await assert.rejects(starting, { reason: "JOB_ID_CONFLICT" });
  assert.equal(await engine.giveUp(id), true);
  assert.equal(fake.count("POST", /stop/), 0);
});

test("of a job that was submitted, load is not asked", async (t) => {
  const { engine } = await open(t, () => row({ status: "RUNNING", metadata: own }));
  await engine.start(id, never, () => {}, patience());
});

test("a job that waits says what for, once each", async (t) => {
  const message = "Job has not started yet. It may be waiting for the runtime environment to be set up.";
  let looks = 0;
  const { engine } = await open(t, () => row({ status: ++looks < 4 ? "PENDING" : "RUNNING", message, metadata: own }));
  const said: string[] = [];
  await engine.start(id, never, (detail) => said.push(detail), patience());
  assert.deepEqual(said, ["setting up the environment"]);
});

test("giving up a job takes its id, so that nobody starts it later", async (t) => {
  const { engine, fake } = await open(t, () => ({ body: '{"submission_id":"j-01234567"}' }));
  assert.equal(await engine.giveUp(id), true);
  const [{ body } = { body: "" }] = fake.seen.filter(({ method }) => method === "POST");
  assert.deepEqual(JSON.parse(body), { submission_id: id, entrypoint: "true", runtime_env: {}, metadata: givenUp });
});

for (const [title, metadata, expected] of [
  ["that a process carries is refused", own, false],
  ["that was given up before is nothing new", givenUp, true],
] as const) {
  test(`giving up a job ${title}`, async (t) => {
    const react = ({ method }: Seen) => (method === "POST" ? exists : row({ status: "RUNNING", metadata }));
    const { engine } = await open(t, react);
    assert.equal(await engine.giveUp(id), expected);
  });
}

test("giving up a job is undecided while the cluster does not say", async (t) => {
  const { engine } = await open(t, ({ method }) => ({ status: method === "POST" ? 500 : 404 }));
  await assert.rejects(engine.giveUp(id), { reason: "ENGINE_UNAVAILABLE" });
});

test("a stop that fails is said again until the cluster hears it", async (t) => {
  const { engine, fake } = await open(t, (_, nth) => (nth < 4 ? { status: 500 } : { status: 200, body: "{}" }));
  await engine.stop(id);
  assert.equal(fake.count("POST", /\/api\/jobs\/j-01234567\/stop/), fake.seen.length - fake.count("GET", /version/));
  assert.ok(fake.count("POST", /stop/) > 1);
});

test("a record that Ray makes anew of a job that was just deleted is deleted as well", async (t) => {
  const again = Promise.withResolvers<void>();
  let deleted = 0;
  const { engine } = await open(t, ({ method }) => {
    if (method === "DELETE" && ++deleted === 2) again.resolve();
    if (method === "DELETE") return { body: "{}" };
    if (deleted === 0) return row({ status: "SUCCEEDED", metadata: own });
    return row({ status: "FAILED", metadata: null, entrypoint: "Entrypoint not found." });
  });
  await engine.remove(id);
  assert.equal(deleted, 1);
  await again.promise;
});

test("a job of the same content that was submitted after the other was deleted is left alone", async (t) => {
  let looks = 0;
  const looked = Promise.withResolvers<void>();
  const { engine, fake } = await open(t, ({ method }) => {
    if (method === "DELETE") return { body: "{}" };
    if (++looks === 3) looked.resolve();
    return row({ status: "SUCCEEDED", metadata: own });
  });
  await engine.remove(id);
  await looked.promise;
  assert.equal(fake.count("DELETE", /jobs/), 1);
});

test("a job of somebody else under the id stays when the other is deleted", async (t) => {
  const { engine, fake } = await open(t, () => row({ status: "SUCCEEDED", metadata: { submitted_by: "me" } }));
  await engine.remove(id);
  assert.equal(fake.count("DELETE", /./), 0);
});

test("what a deleted job left on a cluster that was away is removed by a later service, and first where its id is used again", async (t) => {
  const dir = tempTree(t, {});
  const leftoversFile = join(dir, "left.json");
  let away = true;
  let there = true;
  const react = ({ method, path, body }: Seen): Reaction => {
    if (away) return "reset";
    if (path.startsWith("/api/packages")) return { body: "{}" };
    if (method === "DELETE") there = false;
    if (method === "POST") order.push(/"submission_id":"(\w+-\w+)/.exec(body)?.[1] ?? path);
    if (method === "DELETE") order.push("removed");
    if (method !== "GET") return { body: '{"submission_id":"j-01234567"}' };
    return there
      ? row({ status: "SUCCEEDED", metadata: { ...own, files: "j-01234567-aa" }, driver_node_id: "n" })
      : { status: 404, body: `Job ${id} does not exist` };
  };
  const order: string[] = [];
  const earlier = await open(t, react, { leftoversFile });
  await earlier.engine.remove(id);
  await earlier.engine.close();
  assert.deepEqual(JSON.parse(readFileSync(leftoversFile, "utf8")).records, [id]);
  away = false;
  const later = await open(t, react, { leftoversFile });
  const said: string[] = [];
  const refused = new Error("was loaded");
  const starting = later.engine.start(
    id,
    () => Promise.reject(refused),
    (detail) => said.push(detail),
    AbortSignal.timeout(9000),
  );
  await assert.rejects(starting, refused);
  assert.deepEqual(order, ["removed"]);
  assert.match(said[0] ?? "", /an earlier job of this id/);
  const { records, files } = JSON.parse(readFileSync(leftoversFile, "utf8"));
  assert.deepEqual([records, files], [[], [{ nodeId: "n", rayId: id, files: "j-01234567-aa" }]]);
});

test("resources that Ray never gives are REQUEST_INVALID", async (t) => {
  const { engine } = await open(t, () => ({ status: 404 }));
  for (const asked of [{ gpus: 1.5 }, { cpus: -1 }, { custom: { CPU: 1 } }]) {
    const resources = { $typeName: "pluginrunner.v1.Resources", custom: {}, ...asked } as const;
    assert.throws(() => engine.check(resources), { reason: "REQUEST_INVALID" });
  }
});

const ends: readonly [title: string, job: object, reason: string, says: RegExp][] = [
  ["killed", { exitCode: -9, errorType: "JOB_ENTRYPOINT_COMMAND_ERROR" }, "WORKER_LOST", /was ended by SIGKILL/],
  ["killed below a shell", { exitCode: 137 }, "WORKER_LOST", /was ended by SIGKILL/],
  ["failing", { exitCode: 3 }, "WORKER_LOST", /exited with code 3/],
  ["lost", { errorType: "JOB_SUPERVISOR_ACTOR_DIED" }, "WORKER_LOST", /lost with its node/],
  ["without an environment", { errorType: "RUNTIME_ENV_SETUP_FAILURE", message: "pip" }, "PLUGIN_INVALID", /\npip$/],
  [
    "whose packages are not there",
    { errorType: "RUNTIME_ENV_SETUP_FAILURE", message: "Traceback\nERROR: No matching distribution found for x==9\n" },
    "PLUGIN_INVALID",
    /on Ray: No matching distribution found for x==9\.\n/,
  ],
  ["without room", { errorType: "JOB_SUPERVISOR_ACTOR_START_TIMEOUT" }, "ENGINE_UNAVAILABLE", /no room/],
  ["given up", { metadata: givenUp, status: "SUCCEEDED" }, "ENGINE_UNAVAILABLE", /given up/],
];

for (const [title, job, reason, says] of ends) {
  test(`a job ${title} ends as ${reason}`, () => {
    const error = endOf("j", { job: { ...failed, ...job } });
    assert.equal(error.reason, reason);
    assert.match(error.message, says);
  });
}

test("a job that Ray does not know ends as WORKER_LOST", () => {
  assert.equal(endOf("j", { job: undefined }).reason, "WORKER_LOST");
});

test("a job that asks for resources may wait for them or for its environment", () => {
  const message =
    "It may be waiting for resources (CPUs) to become available. It may be waiting for the runtime environment";
  assert.match(waitingFor({ ...failed, message }), /resources, or .* environment/);
});

test("half of the streams are for jobs that are watched", () => {
  const budget = new StreamBudget(4);
  const taken = [budget.take(false), budget.take(false)];
  assert.equal(budget.take(false), undefined);
  assert.ok(budget.take(true));
  assert.ok(budget.take(true));
  assert.equal(budget.take(true), undefined);
  taken[0]?.();
  taken[0]?.();
  assert.ok(budget.take(true));
  assert.equal(budget.take(true), undefined);
});

const failed = {
  submissionId: "j",
  entrypoint: "",
  status: "FAILED",
  message: "",
  errorType: "",
  exitCode: undefined,
  nodeId: "",
  metadata: own,
} as const;

function row(more: object): Reaction {
  return { body: JSON.stringify({ submission_id: id, ...more }) };
}

async function open(
  t: TestContext,
  react: (seen: Seen, nth: number) => Reaction,
  more: { leftoversFile?: string } = {},
) {
  const fake = await FakeDashboard.start(react);
  const dashboard = new Dashboard({ address: fake.address, log: silentLog });
  const limits = {
    graceMs: 500,
    loadTimeoutMs: 120_000,
    outputLimitBytes: 1000,
    maxEvents: 100_000,
    resultLimitBytes: 1000,
  };
  const engine = createRayJobEngine({ dashboard, ...limits, ...more, log: silentLog });
  t.after(async () => {
    await engine.close();
    await dashboard.close();
    await fake[Symbol.asyncDispose]();
  });
  return { engine, fake };
}
