import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { connect } from "../../../src/client.ts";
import { CallersPort } from "../../conformance/callers-port.ts";
import { failure, running } from "../../conformance/run.ts";
import { patienceMs } from "../../support/limits.ts";
import { startRay, type TestRay } from "../../support/ray.ts";
import { fixtures, startServer, type TestServer } from "../../support/server.ts";

let ray: TestRay;
let server: TestServer;

describe("jobs on a Ray cluster with a token that comes and goes", { timeout: 5 * patienceMs }, () => {
  before(async () => {
    ray = await startRay({ token: true });
    server = await serve(ray.token ?? "");
  });
  after(async () => {
    await server?.[Symbol.asyncDispose]();
    await ray?.[Symbol.asyncDispose]();
  });

  test("a service with the cluster's token runs jobs", async () => {
    const job = await server.client.submitJob("python-reporting", "count", { upto: 2 });
    assert.equal(await job.result(), 2);
  });

  test("plugins see nothing of the node's secrets, Ray's token among them, in jobs as in tasks", async () => {
    for (const plugin of ["python-environment", "javascript-environment"]) {
      const job = await server.client.submitJob(plugin, "names");
      const seen = [await job.result(), await server.client.runPlugin(plugin, "names", {}, { mode: "task" })];
      for (const names of seen) {
        assert.match(JSON.stringify(names), /"PATH"/);
        assert.doesNotMatch(JSON.stringify(names), /RAY_AUTH_TOKEN|NODE_SECRET/);
      }
    }
  });

  test("a service with another token says so, and never which", async (t) => {
    await using other = await serve("mistaken-token");
    const client = connect({ address: other.address, retryForMs: 0 });
    t.after(() => client.close());
    await other.logged("the Ray cluster is away");
    const error = await failure(client.submitJob("python-reporting", "count"));
    assert.equal(error.reason, "ENGINE_UNAVAILABLE");
    assert.match(error.message, /wants another token/);
    assert.doesNotMatch(other.log(), /mistaken-token/);
  });

  test("a job whose cluster was started anew is WORKER_LOST, and new jobs run there", async () => {
    await using port = await CallersPort.open();
    const job = await server.client.submitJob("python-endless", "waiting", { port: port.number });
    await port.connection();
    await running(server.client, job.id);
    const ending = failure(job.result());
    await ray.kill();
    await ray.start();
    const error = await ending;
    assert.equal(error.reason, "WORKER_LOST");
    assert.match(error.message, /does not know the job any more/);
    const next = await server.client.submitJob("python-reporting", "count", { upto: 1 });
    assert.equal(await next.result(), 1);
  });
});

function serve(token: string): Promise<TestServer> {
  const args = ["--ray", ray.address, "--grace", "500ms", "--local", "worker"];
  return startServer({ roots: [fixtures], args, env: { RAY_AUTH_TOKEN: token } });
}
