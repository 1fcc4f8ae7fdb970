import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { setTimeout as delay } from "node:timers/promises";
import { request } from "undici";
import { Dashboard } from "../../../src/engine/ray/dashboard.ts";
import { Gateway } from "../../../src/engine/ray/gateway.ts";
import { Packages } from "../../../src/engine/ray/packages.ts";
import { PluginRunnerError } from "../../../src/errors.ts";
import { silentLog } from "../../../src/util/log.ts";
import { kill } from "../../../src/util/process.ts";
import { command } from "../../cli/command.ts";
import { clusterProcesses } from "../../support/cluster-processes.ts";
import { patience, patienceMs } from "../../support/limits.ts";
import { startRay, type TestRay } from "../../support/ray.ts";

const prefix = "plugin-runner-gateway-";
let ray: TestRay;

before(async () => {
  ray = await startRay();
});
after(() => ray[Symbol.asyncDispose]());

/** What one service has of its own. */
function service(idleMs = 60_000, address = ray.address) {
  const dashboard = new Dashboard({ address, log: silentLog, token: ray.token });
  const packages = new Packages({ dashboard });
  const gateway = new Gateway({ dashboard, packages, port: 0, idleMs, startMs: patienceMs, log: silentLog });
  const close = async () => {
    await gateway.close();
    await dashboard.close();
  };
  return { dashboard, gateway, [Symbol.asyncDispose]: close };
}

test("services that look for a gateway at the same time start one and share it", async () => {
  await using one = service();
  await using other = service();
  const [found, same] = await Promise.all([one.gateway.find(patience()), other.gateway.find(patience())]);
  assert.deepEqual(found, same);
  const jobs = await one.dashboard.listJobs();
  assert.deepEqual(
    jobs.map(({ submissionId }) => submissionId).filter((id) => id.startsWith(prefix)),
    [found.jobId],
  );
});

test("a gateway answers nobody without its token", async () => {
  await using own = service();
  const { origin, token } = await own.gateway.find(patience());
  for (const headers of [{}, { authorization: "Bearer guess" }, { authorization: token }]) {
    const answers = [
      await request(`${origin}/healthz`, { headers }),
      await request(`${origin}/run`, { method: "POST", headers, body: "{}\n{}" }),
    ];
    for (const { statusCode, body } of answers) {
      await body.dump();
      assert.equal(statusCode, 401);
    }
  }
});

test("a gateway says which package the cluster does not have", async () => {
  await using own = service();
  const { origin, token } = await own.gateway.find(patience());
  const missing = "gcs://_ray_pkg_00000000000000aa.zip";
  const limits = { grace_seconds: 1, idle_seconds: 1, max_workers: 1 };
  for (const where of [
    { package: missing, options: {} },
    { package: "", options: { runtime_env: { py_modules: [missing] } } },
  ]) {
    const spec = JSON.stringify({ binding: { language: "python", env: {} }, ...limits, ...where });
    const headers = { authorization: `Bearer ${token}` };
    const { statusCode, body } = await request(`${origin}/run`, { method: "POST", headers, body: `${spec}\n{}` });
    assert.equal(statusCode, 424);
    assert.deepEqual(await body.json(), { missing });
  }
});

test("a gateway that was killed is followed by the next generation, once for all services", async () => {
  await using one = service();
  await using other = service();
  const before = await one.gateway.find(patience());
  const known = await other.gateway.find(patience());
  for (const pid of clusterProcesses(ray, before.jobId)) kill(pid, "SIGKILL");
  await Promise.all([one.gateway.forget(before), other.gateway.forget(known)]);
  const [after, same] = await Promise.all([one.gateway.find(patience()), other.gateway.find(patience())]);
  assert.deepEqual(after, same);
  assert.equal(generation(after.jobId), generation(before.jobId) + 1);
});

test("a gateway that nobody uses ends, and its record goes when a later one is started", async () => {
  await using own = service();
  // Long enough to be found on a busy machine before it ends.
  await using brief = service(5_000);
  const used = await own.gateway.find(patience());
  await own.dashboard.stopJob(used.jobId);
  await untilEnded(own.dashboard, used.jobId);
  const unused = await brief.gateway.find(patience());
  assert.equal((await untilEnded(own.dashboard, unused.jobId))?.status, "SUCCEEDED");
  assert.equal(await brief.gateway.health(unused), undefined);
  await own.gateway.forget(used);
  await own.gateway.find(patience());
  while ((await own.dashboard.getJob(used.jobId)) !== undefined) await delay(50, undefined, { signal: patience() });
});

test("the doctor finds everything a service needs, and what the cluster has", async () => {
  const { code, out } = await command(["doctor", "--ray", ray.address, "--json"]);
  const findings: { subject: string; state: string; detail: string }[] = JSON.parse(out);
  assert.deepEqual(
    findings.filter(({ subject, state }) => subject !== "prlimit" && state !== "good"),
    [],
  );
  assert.match(findings.find(({ subject }) => subject === "gateway")?.detail ?? "", /cluster has 4 CPUs/);
  assert.equal(code, 0);
});

test("a search whose caller leaves goes on for the others", async () => {
  await using own = service();
  const left = own.gateway.find(AbortSignal.abort(new Error("left")));
  const stayed = own.gateway.find(patience());
  await assert.rejects(left, /left/);
  assert.match((await stayed).jobId, new RegExp(`^${prefix}`));
});

test("a cluster that is not there is ENGINE_UNAVAILABLE", async () => {
  await using own = service(1000, "http://127.0.0.1:1");
  await assert.rejects(own.gateway.find(patience()), (error) => {
    assert.ok(error instanceof PluginRunnerError);
    assert.equal(error.reason, "ENGINE_UNAVAILABLE");
    assert.ok(error.retryAfterMs);
    return true;
  });
});

async function untilEnded(dashboard: Dashboard, jobId: string) {
  while (true) {
    const job = await dashboard.getJob(jobId, patience());
    if (job === undefined || (job.status !== "PENDING" && job.status !== "RUNNING")) return job;
    await delay(50, undefined, { signal: patience() });
  }
}

function generation(jobId: string): number {
  return Number(jobId.slice(jobId.lastIndexOf("-") + 1));
}
