import assert from "node:assert/strict";
import { once } from "node:events";
import { writeFileSync } from "node:fs";
import { Agent, request } from "node:http";
import { connect as connectHttp2 } from "node:http2";
import { connect as connectTcp } from "node:net";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { test } from "node:test";
import { create, toBinary } from "@bufbuild/protobuf";
import { Client, credentials } from "@grpc/grpc-js";
import { RunMode, RunPluginRequestSchema } from "../../gen/ts/pluginrunner/v1/plugin_runner_pb.ts";
import { connect as connectWeb } from "../../src/browser.ts";
import { failure } from "../conformance/run.ts";
import { expectDetails, isError, RawCalls } from "../grpc/raw-calls.ts";
import { makeCertificates, withoutCertificates } from "../support/certificates.ts";
import { watchHealth } from "../support/health.ts";
import { project, startServer } from "../support/server.ts";
import { begun, lines, roots, scratch } from "./scratch.ts";

const web = ["--http-listen", "127.0.0.1:0"];
const soon = ["--drain", "50ms", "--grace", "50ms"];
const lost = { reason: "WORKER_LOST", code: 10 };

/** The modes in which a run can be, each with the options of the service that carry it there. */
const places = [
  { where: "in the service's process", mode: "local", args: [] },
  { where: "in a local worker", mode: "local", args: ["--local", "worker"] },
  { where: "in a task's worker", mode: "task", args: ["--max-workers", "1"] },
] as const;

for (const { where, mode, args } of places) {
  test(`a run ${where} that takes longer than the drain is answered with WORKER_LOST, and is begun once`, async (t) => {
    const files = scratch(t);
    await using server = await startServer({ roots, args: [...soon, ...args] });
    const run = failure(server.client.runPlugin("counted", "hold", files.params, { mode }));
    await begun(files);
    assert.equal(await server.end("SIGTERM"), 0);
    await server.start();
    const error = await run;
    assert.deepEqual({ reason: error.reason, code: error.code }, lost);
    assert.equal(error.metadata.started, "true");
    assert.equal(files.counted().starts, 1);
    // In this process it was told to stop.
    if (where === places[0].where) await lines(files.stopped, 1);
  });
}

for (const mode of ["local", "task"] as const) {
  test(`a ${mode} run that waits for a worker when the drain ends is UNAVAILABLE: it has not begun`, async (t) => {
    const files = scratch(t);
    const env = { STARTS: files.starts };
    const args = [...soon, "--max-workers", "1", "--pass-env", "STARTS"];
    await using server = await startServer({ roots: [join(project, "test/fixtures/clients")], args, env });
    using raw = new RawCalls(server.address);
    const running = failure(server.client.runPlugin("leaving", "stay", {}, { mode }));
    await begun(files);
    const bytes = toBinary(
      RunPluginRequestSchema,
      create(RunPluginRequestSchema, {
        plugin: "leaving",
        action: "stay",
        mode: mode === "local" ? RunMode.LOCAL : RunMode.TASK,
      }),
    );
    const waiting = raw.send(bytes);
    // The answer to a later call on the same connection says that the server has it.
    await raw.send(Buffer.alloc(0), "/pluginrunner.v1.PluginRunner/GetServerInfo");
    assert.equal(await server.end("SIGTERM"), 0);
    const refused = await waiting;
    assert.ok(isError(refused));
    assert.equal(refused.code, 14);
    expectDetails(refused, "ENGINE_UNAVAILABLE");
    assert.equal((await running).reason, "WORKER_LOST");
    assert.equal(files.counted().starts, 1);
  });
}

test("an action that heeds nothing is answered as well, in the service's own process too", async (t) => {
  const files = scratch(t);
  await using server = await startServer({ roots, args: soon });
  const run = failure(server.client.runPlugin("counted", "deaf", files.params));
  await begun(files);
  assert.equal(await server.end("SIGTERM"), 0);
  assert.equal((await run).reason, "WORKER_LOST");
});

test("a second SIGTERM ends the server at once with 130, and calls still get an answer", async (t) => {
  const files = scratch(t);
  await using server = await startServer({ roots });
  const run = failure(server.client.runPlugin("counted", "hold", files.params));
  await begun(files);
  const ended = server.end("SIGTERM");
  await server.logged("leaving");
  process.kill(server.pid, "SIGTERM");
  assert.equal(await ended, 130);
  assert.equal((await run).reason, "WORKER_LOST");
});

test("a mesh that repeats what is UNAVAILABLE does not repeat a run that had begun", async (t) => {
  const files = scratch(t);
  await using server = await startServer({ roots, args: soon });
  const retryPolicy = {
    maxAttempts: 5,
    initialBackoff: "0.01s",
    maxBackoff: "0.01s",
    backoffMultiplier: 1,
    retryableStatusCodes: ["UNAVAILABLE"],
  };
  const methodConfig = [{ name: [{ service: "pluginrunner.v1.PluginRunner" }], retryPolicy }];
  const client = new Client(server.address, credentials.createInsecure(), {
    "grpc.service_config": JSON.stringify({ methodConfig }),
  });
  t.after(() => client.close());
  const bytes = toBinary(
    RunPluginRequestSchema,
    create(RunPluginRequestSchema, { plugin: "counted", action: "hold", params: files.params }),
  );
  const same = (buffer: Buffer) => buffer;
  const code = new Promise((resolve) => {
    client.makeUnaryRequest("/pluginrunner.v1.PluginRunner/RunPlugin", same, same, Buffer.from(bytes), (error) =>
      resolve(error?.code),
    );
  });
  await begun(files);
  assert.equal(await server.end("SIGTERM"), 0);
  await server.start();
  assert.equal(await code, 10);
  assert.equal(files.counted().starts, 1);
});

test("browsers are answered as well before their connections end", async (t) => {
  const files = scratch(t);
  await using server = await startServer({ roots, args: [...soon, ...web] });
  const client = connectWeb({ baseUrl: `http://${server.httpAddress}` });
  t.after(() => client.close());
  const run = failure(client.runPlugin("counted", "hold", files.params));
  const grpcWeb = fetch(`http://${server.httpAddress}/pluginrunner.v1.PluginRunner/RunPlugin`, {
    method: "POST",
    headers: { "content-type": "application/grpc-web+proto" },
    body: Buffer.from(frame({ plugin: "counted", action: "hold", params: files.params })),
  });
  await begun(files, 2);
  assert.equal(await server.end("SIGTERM"), 0);
  const error = await run;
  assert.deepEqual({ reason: error.reason, code: error.code }, lost);
  assert.match(Buffer.from(await (await grpcWeb).arrayBuffer()).toString(), /grpc-status: 10/);
});

test("connections of browsers that stay open do not hold the server up", { skip: withoutCertificates }, async (t) => {
  const { dir } = scratch(t);
  const pki = makeCertificates(dir);
  const tls = ["--tls-cert", pki.server.cert, "--tls-key", pki.server.key];
  await using plain = await startServer({ roots, args: web });
  await using secure = await startServer({ roots, args: [...web, ...tls] });
  const agent = new Agent({ keepAlive: true });
  t.after(() => agent.destroy());
  const files = scratch(t);
  const call = request(`http://${plain.httpAddress}/pluginrunner.v1.PluginRunner/RunPlugin`, {
    method: "POST",
    agent,
    headers: { "content-type": "application/json" },
  });
  call.end(JSON.stringify({ plugin: "counted", action: "hold", params: files.params }));
  await begun(files);
  const session = connectHttp2(`https://${secure.httpAddress}`, { rejectUnauthorized: false });
  session.on("error", () => {});
  t.after(() => session.destroy());
  await once(session, "remoteSettings");
  const ended = Promise.all([plain, secure].map((server) => server.end("SIGTERM")));
  await plain.logged("leaving");
  writeFileSync(files.release, "");
  const [answer] = await once(call, "response");
  assert.match(await text(answer), /released/);
  assert.deepEqual(await ended, [0, 0]);
});

test("neither a watch of health nor a connection that is being made holds the server up", {
  skip: withoutCertificates,
}, async (t) => {
  const { dir } = scratch(t);
  const pki = makeCertificates(dir);
  const tls = ["--tls-cert", pki.server.cert, "--tls-key", pki.server.key];
  await using server = await startServer({ roots });
  await using secure = await startServer({ roots, args: [...tls, "--drain", "50ms"] });
  const dumb = connectTcp(Number(secure.address.split(":")[1]), "127.0.0.1");
  dumb.on("error", () => {});
  t.after(() => dumb.destroy());
  await once(dumb, "connect");
  const said: unknown[] = [];
  let ended: Promise<number | null> | undefined;
  const watched = (async () => {
    for await (const word of watchHealth(server.address)) {
      said.push(word);
      ended ??= server.end("SIGTERM");
    }
  })();
  await assert.rejects(watched, { code: 14 });
  assert.deepEqual(said, ["SERVING", "NOT_SERVING"]);
  assert.deepEqual(await Promise.all([ended, secure.end("SIGTERM")]), [0, 0]);
});

test("a large answer reaches a slow reader, after the drain too", async (t) => {
  const files = scratch(t);
  await using server = await startServer({ roots, args: soon });
  const session = connectHttp2(`http://${server.address}`);
  session.on("error", () => {});
  t.after(() => session.destroy());
  const call = session.request({
    ":method": "POST",
    ":path": "/pluginrunner.v1.PluginRunner/RunPlugin",
    "content-type": "application/grpc",
    te: "trailers",
  });
  call.pause();
  call.end(frame({ plugin: "counted", action: "large", params: files.params }));
  await once(call, "response");
  const ended = server.end("SIGTERM");
  await server.logged("leaving");
  const chunks: Buffer[] = [];
  call.on("data", (chunk: Buffer) => chunks.push(chunk)).resume();
  const [trailers] = await once(call, "trailers");
  assert.equal(trailers["grpc-status"], "0");
  assert.ok(Buffer.concat(chunks).length > 2 * 1024 ** 2);
  assert.equal(await ended, 0);
});

test("who follows the output of a run that the server ends sees the end of it", async (t) => {
  const files = scratch(t);
  await using server = await startServer({ roots, args: soon });
  const requestId = "followed";
  const run = failure(server.client.runPlugin("counted", "hold", files.params, { requestId }));
  const told = Promise.withResolvers<void>();
  const followed = (async () => {
    for await (const _ of server.client.watchRun(requestId)) told.resolve();
  })();
  await begun(files);
  assert.equal(await server.end("SIGTERM"), 0);
  assert.equal((await run).reason, "WORKER_LOST");
  await followed;
});

/** A request as gRPC frames it. */
function frame(init: Parameters<typeof create<typeof RunPluginRequestSchema>>[1]): Buffer {
  const message = toBinary(RunPluginRequestSchema, create(RunPluginRequestSchema, init));
  const head = Buffer.alloc(5);
  head.writeUInt32BE(message.length, 1);
  return Buffer.concat([head, message]);
}
