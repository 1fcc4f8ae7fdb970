import assert from "node:assert/strict";
import { test } from "node:test";
import { FakeDashboard } from "../support/fake-dashboard.ts";
import { watchHealth } from "../support/health.ts";
import { startServer } from "../support/server.ts";

const service = "pluginrunner.v1.PluginRunner";
const version = JSON.stringify({ version: "4", ray_version: "2.60.0", ray_commit: "c", session_name: "s" });

test("health is known of the server, the service and each of its modes, and of nothing else", async () => {
  await using server = await startServer({ args: ["--local", "off"] });
  for (const name of ["", service, `${service}/task`, `${service}/job`]) {
    await becomes(server.address, name, ["SERVING"]);
  }
  for (const name of [`${service}/local`, "task", "other.Service"]) {
    await becomes(server.address, name, ["SERVICE_UNKNOWN"]);
  }
});

test("the modes that a cluster carries are down while it is away; the others and the service are not", async () => {
  let away = true;
  await using dashboard = await FakeDashboard.start(() => (away ? "reset" : { body: version }));
  await using server = await startServer({ args: ["--ray", dashboard.address] });
  await server.logged("the Ray cluster is away");
  for (const mode of ["task", "job"]) await becomes(server.address, `${service}/${mode}`, ["NOT_SERVING"]);
  for (const name of ["", service, `${service}/local`]) await becomes(server.address, name, ["SERVING"]);
  const back = ["task", "job"].map((mode) => becomes(server.address, `${service}/${mode}`, ["NOT_SERVING", "SERVING"]));
  away = false;
  await Promise.all(back);
});

test("on SIGTERM every name says NOT_SERVING", async () => {
  await using server = await startServer({ args: ["--leave-delay", "1s"] });
  const names = ["", service, `${service}/task`];
  const watched = Promise.withResolvers<void>();
  let waiting = names.length;
  const first = () => {
    waiting -= 1;
    if (waiting === 0) watched.resolve();
  };
  const left = names.map((name) => becomes(server.address, name, ["SERVING", "NOT_SERVING"], first));
  await watched.promise;
  assert.equal(await server.end("SIGTERM"), 0);
  await Promise.all(left);
});

/** Watches a name until it has said all these words, in this order; calls `then` after the first ones. */
async function becomes(address: string, name: string, expected: readonly string[], then = () => {}): Promise<void> {
  const words: unknown[] = [];
  for await (const word of watchHealth(address, name)) {
    words.push(word);
    if (words.length === expected.length) break;
    then();
  }
  assert.deepEqual(words, expected, name);
}
