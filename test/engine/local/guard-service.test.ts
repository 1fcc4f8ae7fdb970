import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { test } from "node:test";
import { patienceMs } from "../../support/limits.ts";

const guard = new URL("../../../src/engine/local/guard-service.ts", import.meta.url).href;

for (const [what, code] of [
  ["an exception", 'setImmediate(() => { throw new Error("own fault") })'],
  ["a rejection", 'void Promise.reject(new Error("own fault"))'],
] as const) {
  test(`${what} that is no plugin's ends the service with its stack`, () => {
    const program = `import { guardService } from ${JSON.stringify(guard)}; guardService(() => {}); ${code};
      setInterval(() => {}, 1000);`;
    const { status, stderr } = spawnSync(process.execPath, ["--input-type=module", "--eval", program], {
      encoding: "utf8",
      timeout: patienceMs,
    });
    assert.equal(status, 1);
    assert.match(stderr, /Error: own fault\n +at /);
  });
}

test("what the service does after a stray fault belongs to no run", () => {
  const codeRun = new URL("../../../src/runtime/code-run.ts", import.meta.url).href;
  const program = `
    import { createServer, connect } from "node:net";
    import { guardService } from ${JSON.stringify(guard)};
    import { CodeRun, currentRun } from ${JSON.stringify(codeRun)};
    guardService(() => {});
    const run = new CodeRun("stray");
    const server = createServer((socket) => socket.on("data", () => {
      console.log("run", currentRun()?.action);
      process.exit();
    }));
    server.listen(0, "127.0.0.1", () => {
      setImmediate(() => connect(server.address().port, "127.0.0.1").write("x"));
      run.during(() => new Promise(() => process.nextTick(() => { throw new Error("stray"); }))).catch(() => {});
    });`;
  const { stdout, stderr } = spawnSync(process.execPath, ["--input-type=module", "--eval", program], {
    encoding: "utf8",
    timeout: patienceMs,
  });
  assert.equal(stdout, "run undefined\n", stderr);
});
