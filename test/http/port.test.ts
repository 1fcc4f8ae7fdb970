import assert from "node:assert/strict";
import { once } from "node:events";
import { readFileSync, writeFileSync } from "node:fs";
import { Agent, type IncomingMessage, type OutgoingHttpHeaders, request } from "node:http";
import { connect as connectHttp2 } from "node:http2";
import { connect as connectTcp } from "node:net";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { test } from "node:test";
import { setTimeout as delay } from "node:timers/promises";
import { create, toJson } from "@bufbuild/protobuf";
import { createClient } from "@connectrpc/connect";
import { createGrpcWebTransport } from "@connectrpc/connect-web";
import { ErrorInfoSchema } from "../../gen/ts/google/rpc/error_details_pb.ts";
import { JobSchema } from "../../gen/ts/pluginrunner/v1/job_pb.ts";
import { PluginRunner } from "../../gen/ts/pluginrunner/v1/plugin_runner_pb.ts";
import { connect } from "../../src/browser.ts";
import { begun, lines, roots, scratch } from "../lifecycle/scratch.ts";
import { makeCertificates, withoutCertificates } from "../support/certificates.ts";
import { serveRefused, startServer } from "../support/server.ts";

const web = ["--http-listen", "127.0.0.1:0"];
const runPlugin = "/pluginrunner.v1.PluginRunner/RunPlugin";

test("a call is a POST of JSON, and its answer too", async () => {
  await using server = await startServer({ args: web });
  const { status, text } = await post(server.httpAddress, { plugin: "echo", action: "echo", params: { a: [1, "ü"] } });
  assert.equal(status, 200);
  assert.deepEqual(JSON.parse(text).result.params, { a: [1, "ü"] });
});

test("an error has its code, its message and its details", async () => {
  await using server = await startServer({ args: web });
  const { status, text } = await post(server.httpAddress, { plugin: "nowhere", action: "echo" });
  const { code, message, details } = JSON.parse(text);
  assert.deepEqual([status, code], [404, "not_found"]);
  assert.match(message, /nowhere/);
  const info = details.find(({ type }: { type: string }) => type === ErrorInfoSchema.typeName);
  assert.match(Buffer.from(info.value, "base64").toString(), /PLUGIN_NOT_FOUND/);
  assert.partialDeepStrictEqual(info.debug, { reason: "PLUGIN_NOT_FOUND", metadata: { plugin: "nowhere" } });
});

test("what is no call gets the status of HTTP for it, and the port answers the next one", async () => {
  await using server = await startServer({ args: [...web, "--max-request-size", "10KiB"] });
  const { httpAddress } = server;
  const json = { "content-type": "application/json" };
  assert.equal((await send(httpAddress, { path: "/", method: "GET" })).status, 404);
  assert.equal((await send(httpAddress, { path: runPlugin, method: "GET" })).status, 405);
  assert.equal((await send(httpAddress, { headers: { "content-type": "text/plain" } })).status, 415);
  assert.equal((await send(httpAddress, { headers: json }, "{")).status, 400);
  assert.equal((await send(httpAddress, { headers: json }, `{"plugin": "${"x".repeat(20_000)}"}`)).status, 400);
  assert.equal((await post(httpAddress, { plugin: "echo", action: "echo" })).status, 200);
});

test("requests with a host or a path that is none are refused, with and without a token, and the next one is answered", async (t) => {
  const { dir } = scratch(t);
  const file = join(dir, "token");
  writeFileSync(file, "s3cret");
  for (const args of [[], ["--token-file", file]]) {
    await using server = await startServer({ args: [...web, ...args], token: "s3cret" });
    for (const [start, host] of [
      [`POST ${runPlugin} HTTP/1.1`, "Host: 127.0.0.1:99999"],
      [`POST ${runPlugin} HTTP/1.1`, "Host: ["],
      [`POST ${runPlugin} HTTP/1.0`, "Accept: */*"],
      ["POST // HTTP/1.1", "Host: 127.0.0.1"],
    ]) {
      const answer = await sendRaw(server.httpAddress, `${start}\r\n${host}\r\nConnection: close\r\n\r\n`);
      assert.match(answer, /^HTTP\/1\.1 40[03] /, host);
    }
    assert.equal((await server.client.serverInfo()).engine, "embedded");
  }
});

test("a caller whose time is up before its request is whole costs nobody else anything", async () => {
  await using server = await startServer({ args: web });
  const body = JSON.stringify({ plugin: "nowhere", action: "none" });
  const head = `Host: 127.0.0.1\r\nContent-Type: application/json\r\nConnect-Timeout-Ms: 1\r\nContent-Length: ${body.length}`;
  const answer = await sendRaw(
    server.httpAddress,
    `POST ${runPlugin} HTTP/1.1\r\n${head}\r\nConnection: close\r\n\r\n`,
    body,
  );
  assert.match(answer, /deadline_exceeded/);
  assert.equal((await server.client.serverInfo()).engine, "embedded");
});

test("a page of another site runs nothing, and one of an allowed origin does", async (t) => {
  const files = scratch(t);
  await using server = await startServer({ roots, args: [...web, "--http-allow-origin", "https://app.example.com"] });
  const run = { plugin: "counted", action: "quick", params: files.params };
  for (const foreign of [{ origin: "https://evil.example" }, { host: "rebound.example" }]) {
    assert.equal((await post(server.httpAddress, run, foreign)).status, 403);
  }
  assert.equal(files.counted().starts, 0);
  const allowed = await post(server.httpAddress, run, { origin: "https://app.example.com" });
  assert.equal(allowed.status, 200);
  assert.equal(allowed.headers["access-control-allow-origin"], "https://app.example.com");
  assert.equal(files.counted().starts, 1);
});

test("the port wants the same token as gRPC", async (t) => {
  const { dir } = scratch(t);
  const file = join(dir, "token");
  writeFileSync(file, "s3cret");
  await using server = await startServer({ args: [...web, "--token-file", file], token: "s3cret" });
  const run = { plugin: "echo", action: "echo" };
  assert.equal((await post(server.httpAddress, run)).status, 401);
  assert.equal((await post(server.httpAddress, run, { authorization: "Bearer wrong" })).status, 401);
  assert.equal((await post(server.httpAddress, run, { authorization: "s3cret" })).status, 401);
  assert.equal((await post(server.httpAddress, run, { authorization: "bearer s3cret" })).status, 200);
  assert.equal((await post(server.httpAddress, run, { authorization: "Bearer s3cret" })).status, 200);
});

test("with TLS the port speaks HTTP/2, so that a page may have many watches", {
  skip: withoutCertificates,
}, async (t) => {
  const pki = makeCertificates(scratch(t).dir);
  const tls = ["--tls-cert", pki.server.cert, "--tls-key", pki.server.key];
  await using server = await startServer({ args: [...web, ...tls] });
  const session = connectHttp2(`https://localhost:${server.httpAddress.split(":")[1]}`, { ca: readFileSync(pki.ca) });
  t.after(() => session.destroy());
  const stream = session.request({ ":method": "POST", ":path": runPlugin, "content-type": "application/json" });
  stream.end(JSON.stringify({ plugin: "echo", action: "echo" }));
  const [headers] = await once(stream, "response");
  assert.equal(headers[":status"], 200);
  assert.deepEqual(JSON.parse(await text(stream)).result.params, {});
  assert.equal(await server.end("SIGTERM"), 0);
});

test("clients of gRPC-Web are served", async () => {
  await using server = await startServer({ args: web });
  const transport = createGrpcWebTransport({ baseUrl: `http://${server.httpAddress}` });
  const client = createClient(PluginRunner, transport);
  const jobs: unknown[] = [];
  for await (const { update } of client.submitJob({ plugin: "echo", action: "echo" })) {
    if (update.case === "snapshot") jobs.push(toJson(JobSchema, create(JobSchema, update.value)));
  }
  assert.equal(jobs.length, 1);
});

test("on SIGTERM watchers are told to come back, and connections that are kept open hold up nothing", async (t) => {
  const files = scratch(t);
  await using server = await startServer({ roots, args: [...web, "--drain", "1h"] });
  const client = connect({ baseUrl: `http://${server.httpAddress}` });
  t.after(() => client.close());
  const job = await client.submitJob("counted", "hold", files.params);
  await begun(files);
  const told = new AbortController();
  const onRetry = () => told.abort(new Error("told to come back"));
  let ended: Promise<number | null> | undefined;
  const watch = async () => {
    for await (const { snapshot } of client.watchJob(job.id, { onRetry, signal: told.signal })) {
      if (snapshot) ended = server.end("SIGTERM");
    }
  };
  await assert.rejects(watch(), { message: "told to come back" });
  assert.equal(await ended, 0);
});

test("a caller that leaves ends its run", async (t) => {
  const files = scratch(t);
  await using server = await startServer({ roots, args: [...web, "--grace", "50ms"] });
  const client = connect({ baseUrl: `http://${server.httpAddress}` });
  t.after(() => client.close());
  const leaving = new AbortController();
  const run = client.runPlugin("counted", "hold", files.params, { mode: "task", signal: leaving.signal });
  await begun(files);
  const left = new Error("left");
  leaving.abort(left);
  await assert.rejects(run, (error) => error === left);
  await lines(files.stopped, 1);
});

test("an address that cannot be had, or is open to others, and an origin that is none, are refused", async (t) => {
  const { dir } = scratch(t);
  await using taken = await startServer({ args: web });
  const refusals: [args: string[], said: RegExp][] = [
    [["--http-listen", taken.httpAddress], /--http-listen .* cannot be had: .*EADDRINUSE/],
    [["--http-listen", "0.0.0.0:0"], /--http-listen 0\.0\.0\.0:0 is reached from other machines/],
    [["--http-listen", "nonsense"], /--http-listen nonsense/],
    [[...web, "--http-allow-origin", "https://app.example.com/page"], /is not an origin: write https:/],
    [[...web, "--http-allow-origin", "*"], /is not an origin/],
  ];
  for (const [args, said] of refusals) {
    const outcome = await serveRefused(["--listen", "127.0.0.1:0", "--data-dir", dir, ...args]);
    assert.equal(outcome.code, 2);
    assert.match(outcome.said, said);
  }
});

function post(address: string, body: object, headers: OutgoingHttpHeaders = {}) {
  return send(address, { headers: { "content-type": "application/json", ...headers } }, JSON.stringify(body));
}

/** What comes back for bytes that no library would send; the last of them 100 ms later. */
async function sendRaw(address: string, head: string, later = ""): Promise<string> {
  const socket = connectTcp(Number(address.split(":")[1]), "127.0.0.1");
  socket.write(head);
  const answer = text(socket);
  if (later !== "") {
    await delay(100);
    socket.write(later);
  }
  return answer;
}

interface Sent {
  path?: string;
  method?: string;
  headers?: OutgoingHttpHeaders;
}

/** Not by `fetch`, which decides on `Host` itself. */
async function send(address: string, { path = runPlugin, method = "POST", headers = {} }: Sent, body = "") {
  const agent = new Agent();
  const sent = request(`http://${address}${path}`, { method, headers, agent });
  sent.end(body);
  const [response]: IncomingMessage[] = await once(sent, "response");
  assert.ok(response);
  const answer = await text(response);
  agent.destroy();
  return { status: response.statusCode, headers: response.headers, text: answer };
}
