import assert from "node:assert/strict";
import { realpathSync } from "node:fs";
import { after, before, describe, test } from "node:test";
import { command } from "../../cli/command.ts";
import { startRay, type TestRay } from "../../support/ray.ts";
import { fixtures, startServer } from "../../support/server.ts";

interface Finding {
  subject: string;
  state: string;
  detail: string;
}

describe("a Ray that was started by its path, with another Python on PATH", { timeout: 400_000 }, () => {
  let ray: TestRay;
  let python: string;
  before(async () => {
    ray = await startRay({ onPath: false });
    python = `${realpathSync(ray.bin)}/python`;
  });
  after(() => ray?.[Symbol.asyncDispose]());

  test("a Python without Ray that was named for the gateway is told by its name, and so is Ray's own", async () => {
    const { code, out } = await command([
      "doctor",
      "--ray",
      ray.address,
      "--ray-python",
      "/usr/bin/env python3",
      "--json",
    ]);
    const gateway = gatewayOf(out);
    assert.equal(gateway?.state, "bad");
    assert.match(gateway?.detail ?? "", /The gateway cannot start: \S*python\S* \(Python 3\.\S+\) ran its entrypoint/);
    assert.ok(gateway?.detail.includes(`Ray runs on ${python}: name that with --ray-python.`), gateway?.detail);
    assert.notEqual(code, 0);
  });

  test("the gateway and jobs run on Ray's own Python", async () => {
    const { out } = await command(["doctor", "--ray", ray.address, "--json"]);
    assert.ok(gatewayOf(out)?.detail.includes(`run by ${python} (Python 3.`), out);
    await using server = await startServer({ roots: [fixtures], args: ["--ray", ray.address, "--local", "worker"] });
    const run = server.client.runPlugin("python-values", "echo", { value: 1 }, { mode: "task" });
    assert.equal(await run, 1);
    const job = await server.client.submitJob("python-values", "echo", { value: 2 });
    assert.equal(await job.result(), 2);
  });
});

function gatewayOf(out: string): Finding | undefined {
  const findings: Finding[] = JSON.parse(out);
  return findings.find(({ subject }) => subject === "gateway");
}
