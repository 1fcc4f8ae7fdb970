import assert from "node:assert/strict";
import { test } from "node:test";
import { setTimeout as delay } from "node:timers/promises";
import { FakeDashboard } from "../../support/fake-dashboard.ts";
import { startServer } from "../../support/server.ts";

test("a server tells of a cluster that is away, in one line of its log too, until it is there again", async () => {
  let away = true;
  const there = { body: JSON.stringify({ ray_version: "2.60.0", session_name: "session_1" }) };
  await using fake = await FakeDashboard.start(() =>
    away ? { status: 503, body: "<html>no upstream</html>" } : there,
  );
  await using server = await startServer({ args: ["--ray", fake.address, "--local", "worker"] });
  await server.logged("the Ray cluster is away");
  const [warning, ...others] = (await server.client.serverInfo()).warnings;
  assert.deepEqual(others, []);
  assert.equal(warning?.reason, "ENGINE_UNAVAILABLE");
  assert.match(warning?.message ?? "", /^The Ray dashboard at http\S+ cannot be reached/);
  assert.equal(warning?.metadata.status, "503");
  assert.ok(warning?.since);
  const [line = "", ...more] = server
    .log()
    .split("\n")
    .filter((each) => each.includes("the Ray cluster is away"));
  assert.deepEqual(more, []);
  assert.doesNotMatch(line, /\bat \S+\.(ts|js):\d+/);
  away = false;
  const signal = AbortSignal.timeout(60_000);
  while ((await server.client.serverInfo()).warnings.length > 0) await delay(100, undefined, { signal });
});
