import assert from "node:assert/strict";
import { test } from "node:test";
import { JobState } from "../../gen/ts/pluginrunner/v1/job_pb.ts";
import { PluginRunner, type WatchJobRequest } from "../../gen/ts/pluginrunner/v1/plugin_runner_pb.ts";
import { connect } from "../../src/client.ts";
import { TcpProxy } from "../support/proxy.ts";
import { events, fakeServer, snapshot, streaming, unary, untilGone } from "./fake-server.ts";

const { method } = PluginRunner;
const running = snapshot({ jobId: "j", state: JobState.RUNNING });

/** Tells one event to the first watch and then nothing, the rest to the next one. */
async function* silentOnce({ afterSequence }: WatchJobRequest, signal: AbortSignal) {
  yield running;
  if (afterSequence === 0n) {
    yield events(1, "one");
    await untilGone(signal);
  } else {
    yield events(2, "two", "result");
  }
}

test("a watch whose connection is silent goes on over another one", async () => {
  using server = await fakeServer([streaming(method.watchJob, silentOnce)]);
  await using relay = await TcpProxy.listen(server.address);
  await using client = connect({ address: relay.address, heartbeatTimeoutMs: 1000 });
  const seen: number[] = [];
  const retries: unknown[] = [];
  for await (const { event } of client.watchJob("j", { onRetry: (error) => retries.push(error.message) })) {
    if (event === undefined) continue;
    seen.push(Number(event.sequence));
    if (seen.length === 1) relay.silence();
    else assert.equal(relay.connections, 2);
  }
  assert.deepEqual(seen, [1, 2, 3]);
  assert.match(String(retries.at(-1)), /Nothing came from the server for 1 s/);
});

test("watches that fall silent together share the new connection, and calls under way on the old one are answered", async () => {
  const release = Promise.withResolvers<void>();
  const version = "answered on the first connection";
  const info = unary(method.getServerInfo, async () => {
    await release.promise;
    return { version };
  });
  using server = await fakeServer([streaming(method.watchJob, silentOnce), info]);
  await using relay = await TcpProxy.listen(server.address);
  await using client = connect({ address: relay.address, heartbeatTimeoutMs: 1000 });
  const asked = client.serverInfo();
  const watch = async () => {
    const seen: number[] = [];
    for await (const { event } of client.watchJob("j")) if (event) seen.push(Number(event.sequence));
    return seen;
  };
  assert.deepEqual(await Promise.all([watch(), watch()]), [
    [1, 2, 3],
    [1, 2, 3],
  ]);
  assert.equal(relay.connections, 2);
  release.resolve();
  assert.equal((await asked).version, version);
});
