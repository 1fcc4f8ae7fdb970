import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import { test } from "node:test";
import { RunnerError } from "../../src/client.ts";
import { startServer } from "../support/server.ts";
import { begun, lines, roots, scratch } from "./scratch.ts";

for (const mode of ["local", "task"] as const) {
  test(`four identical ${mode} calls with one request_id run once, and a late fifth gets the kept answer`, async (t) => {
    const files = scratch(t);
    await using server = await startServer({ roots });
    const call = () => server.client.runPlugin("counted", "hold", files.params, { mode, requestId: "one" });
    const calls = [call(), call(), call(), call()];
    await begun(files);
    writeFileSync(files.release, "");
    assert.deepEqual(await Promise.all(calls), Array(4).fill("released"));
    assert.equal(await call(), "released");
    assert.equal(files.counted().starts, 1);
  });
}

test("a request_id that stands for another content is refused", async () => {
  await using server = await startServer({ roots });
  const call = (params: { starts: string; count?: number }) =>
    server.client.runPlugin("counted", "quick", params, { requestId: "one" });
  assert.equal(await call({ starts: "" }), "quick");
  await assert.rejects(call({ starts: "", count: 1 }), (error) => {
    assert.ok(error instanceof RunnerError && error.reason === "REQUEST_INVALID");
    assert.deepEqual(
      error.violations.map(({ field }) => field),
      ["/request_id"],
    );
    return true;
  });
});

test("a retry whose maps come in another order is the same run", async (t) => {
  const files = scratch(t);
  await using server = await startServer({ roots });
  const { starts } = files;
  const call = (params: object, env: Record<string, string>) =>
    server.client.runPlugin("counted", "quick", { ...params }, { requestId: "one", env });
  assert.equal(await call({ starts, count: 1 }, { A: "1", B: "2" }), "quick");
  assert.equal(await call({ count: 1, starts }, { B: "2", A: "1" }), "quick");
  assert.equal(files.counted().starts, 1);
});

test("a caller that leaves does not end the run that another one joined", async (t) => {
  const files = scratch(t);
  await using server = await startServer({ roots });
  const leave = new AbortController();
  const options = { mode: "task", requestId: "one" } as const;
  const first = server.client.runPlugin("counted", "hold", files.params, { ...options, signal: leave.signal });
  const second = server.client.runPlugin("counted", "hold", files.params, options);
  await begun(files);
  leave.abort(new Error("left"));
  await assert.rejects(first, /left/);
  writeFileSync(files.release, "");
  assert.equal(await second, "released");
  assert.equal(files.counted().starts, 1);
});

test("a run that all callers left is told to stop, and its id may then be used again", async (t) => {
  const files = scratch(t);
  await using server = await startServer({ roots });
  const leave = new AbortController();
  const options = { mode: "task", requestId: "one" } as const;
  const first = server.client.runPlugin("counted", "hold", files.params, { ...options, signal: leave.signal });
  await begun(files);
  leave.abort(new Error("left"));
  await assert.rejects(first, /left/);
  await lines(files.stopped, 1);
  writeFileSync(files.release, "");
  assert.equal(await server.client.runPlugin("counted", "hold", files.params, options), "released");
  assert.equal(files.counted().starts, 2);
});
