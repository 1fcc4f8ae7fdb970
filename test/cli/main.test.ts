import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { test } from "node:test";
import { PluginRunner } from "../../gen/ts/pluginrunner/v1/plugin_runner_pb.ts";
import { fakeServer, snapshot, streaming, untilGone } from "../grpc/fake-server.ts";

const main = join(import.meta.dirname, "../../src/cli/main.ts");

/** A server with a job that never ends; `watched` resolves when somebody watches it. */
async function endlessJob() {
  const watched = Promise.withResolvers<void>();
  const server = await fakeServer([
    streaming(PluginRunner.method.watchJob, async function* (_, signal) {
      yield snapshot({ jobId: "j" });
      watched.resolve();
      await untilGone(signal);
    }),
  ]);
  return { server, watched: watched.promise };
}

for (const signal of ["SIGINT", "SIGTERM"] as const) {
  test(`the program ends with 130 after ${signal}, and the job is left alone`, async () => {
    const { server, watched } = await endlessJob();
    using _server = server;
    const child = spawn(process.execPath, [main, "watch", "j", "--address", server.address]);
    const err: string[] = [];
    child.stderr.on("data", (chunk) => err.push(String(chunk)));
    child.stderr.once("data", () => child.kill(signal));
    await watched;
    assert.deepEqual(await once(child, "close"), [130, null]);
    assert.match(err.join(""), /Job j goes on\./);
  });
}

test("the program ends quietly when the reader of its output has left", async () => {
  const child = spawn(process.execPath, [main, "help"]);
  child.stdout.destroy();
  const [code] = await once(child, "close");
  assert.equal(code, 0);
});
