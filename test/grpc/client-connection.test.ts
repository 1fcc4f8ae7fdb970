import assert from "node:assert/strict";
import { once } from "node:events";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { createServer as createHttp2Server } from "node:http2";
import { createServer, type Server } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, type TestContext, test } from "node:test";
import { toBinary } from "@bufbuild/protobuf";
import { Server as GrpcServer, ServerCredentials } from "@grpc/grpc-js";
import { PluginRunner, RunPluginResponseSchema } from "../../gen/ts/pluginrunner/v1/plugin_runner_pb.ts";
import { connect, RunnerError } from "../../src/client.ts";
import { readAddress } from "../../src/grpc/address.ts";
import { connectionCause } from "../../src/grpc/connection-cause.ts";
import { serviceDefinition } from "../../src/grpc/definition.ts";
import { type Certificates, makeCertificates, withoutCertificates } from "../support/certificates.ts";
import { fakeServer, streaming, unary } from "./fake-server.ts";

const { method } = PluginRunner;

const addresses: [given: string, target: string][] = [
  ["localhost", "localhost:50151"],
  ["localhost:1", "localhost:1"],
  ["127.0.0.1", "127.0.0.1:50151"],
  ["::1", "[::1]:50151"],
  ["[::1]:7", "[::1]:7"],
  ["service.example", "service.example:50151"],
  ["dns:///service.example:443", "dns:///service.example:443"],
  ["unix:/run/plugin-runner.sock", "unix:/run/plugin-runner.sock"],
];

for (const [given, target] of addresses) {
  test(`the address ${given} is ${target}`, () => assert.equal(readAddress(given).target, target));
}

for (const address of ["https://a:1", "http://a", "a:b", "a:99999", "a:1:2", "a/b", ":1", "a b:1"]) {
  test(`the address ${address} is refused before any call`, () => {
    assert.throws(
      () => connect({ address }),
      (error) => isMisuse(error, "/address"),
    );
  });
}

function isMisuse(error: unknown, field: string): boolean {
  assert.ok(error instanceof RunnerError, String(error));
  assert.deepEqual([error.reason, error.violations[0]?.field], ["REQUEST_INVALID", field]);
  return true;
}

test("a URL is refused with the way to say TLS", () => {
  assert.throws(
    () => connect({ address: "https://a:1" }),
    /URL: give it as host:port; TLS is chosen with the option tls/,
  );
});

test("calls of a closed client are refused", async () => {
  const client = connect({ address: "127.0.0.1:1" });
  client.close();
  for (const call of [() => client.runPlugin("p", "a"), () => client.watchJob("j").next()]) {
    await assert.rejects(call(), (error) => isMisuse(error, "/client"));
  }
});

test("a server that is silent when it is asked for TLS says nothing of its cause, and holds up no call", async (t) => {
  const silent = createServer((socket) => t.after(() => socket.destroy())).listen(0, "127.0.0.1");
  t.after(() => silent.close());
  await once(silent, "listening");
  const address = readAddress(addressOf(silent));
  for (const tls of [undefined, { ca: null, cert: null, key: null }]) {
    assert.equal(await connectionCause(address, tls, 20), undefined);
  }
});

describe("TLS that does not fit is said at once, with its cause", { skip: withoutCertificates }, () => {
  const dir = mkdtempSync(join(tmpdir(), "plugin-runner-tls-"));
  let pki: Certificates;
  let other: Certificates;
  let plain: Awaited<ReturnType<typeof fakeServer>>;
  let secure: GrpcServer;
  let mutual: GrpcServer;
  let securePort = 0;
  let mutualPort = 0;

  before(async () => {
    pki = makeCertificates(dir);
    other = makeCertificates(mkdtempSync(join(dir, "other-")));
    plain = await fakeServer([]);
    [secure, securePort] = await tlsServer(null);
    [mutual, mutualPort] = await tlsServer(readFileSync(pki.ca));
  });
  after(() => {
    plain[Symbol.dispose]();
    secure.forceShutdown();
    mutual.forceShutdown();
    rmSync(dir, { recursive: true, force: true });
  });

  async function tlsServer(clientCa: Buffer | null): Promise<[GrpcServer, number]> {
    const server = new GrpcServer();
    server.addService(serviceDefinition(PluginRunner), {});
    const pair = { private_key: readFileSync(pki.server.key), cert_chain: readFileSync(pki.server.cert) };
    const bound = Promise.withResolvers<number>();
    server.bindAsync("127.0.0.1:0", ServerCredentials.createSsl(clientCa, [pair], clientCa !== null), (error, port) =>
      error ? bound.reject(error) : bound.resolve(port),
    );
    return [server, await bound.promise];
  }

  const mistakes: [what: string, address: () => string, tls: () => object | undefined, said: RegExp][] = [
    ["plain text to TLS", () => `127.0.0.1:${securePort}`, () => undefined, /The server at .* speaks TLS: .*--tls/],
    ["plain text to mutual TLS", () => `127.0.0.1:${mutualPort}`, () => undefined, /speaks TLS: /],
    ["TLS to plain text", () => plain.address, () => ({ ca: readFileSync(pki.ca) }), /does not speak TLS: /],
    [
      "TLS without the authority",
      () => `127.0.0.1:${securePort}`,
      () => ({}),
      /signed by none of the given authorities.*--tls-ca/,
    ],
    ["another authority", () => `127.0.0.1:${securePort}`, () => ({ ca: readFileSync(other.ca) }), /signed by none/],
    [
      "no certificate of the client",
      () => `127.0.0.1:${mutualPort}`,
      () => ({ ca: readFileSync(pki.ca) }),
      /wants a certificate of the client/,
    ],
  ];

  for (const [what, address, tls, said] of mistakes) {
    test(what, async () => {
      await using client = connect({ address: address(), tls: tls() });
      const error = await client.runPlugin("p", "a").catch((thrown: unknown) => thrown);
      assert.ok(error instanceof RunnerError);
      assert.equal(error.reason, "UNAVAILABLE");
      assert.match(error.message, said);
    });
  }

  test("a watch ends over it as well", async () => {
    await using client = connect({ address: `127.0.0.1:${securePort}` });
    await assert.rejects(client.watchJob("j").next(), { reason: "UNAVAILABLE", isFinal: true });
  });

  const files: [what: string, tls: () => object, field: string][] = [
    ["a key as authority", () => ({ ca: readFileSync(pki.server.key) }), "/tls/ca"],
    ["a text that is no PEM", () => ({ ca: "no" }), "/tls/ca"],
    ["a certificate without its key", () => ({ cert: readFileSync(pki.client.cert) }), "/tls/key"],
    ["a key without its certificate", () => ({ key: readFileSync(pki.client.key) }), "/tls/cert"],
    ["a certificate as key", () => ({ cert: readFileSync(pki.client.cert), key: readFileSync(pki.ca) }), "/tls/key"],
    [
      "a key of another certificate",
      () => ({ cert: readFileSync(pki.client.cert), key: readFileSync(pki.server.key) }),
      "/tls/key",
    ],
  ];

  for (const [what, tls, field] of files) {
    test(`${what} is refused before any call`, () => {
      assert.throws(
        () => connect({ address: "127.0.0.1:1", tls: tls() }),
        (error) => isMisuse(error, field),
      );
    });
  }
});

const refusals: [status: number, reason: string, said: RegExp][] = [
  [403, "FORBIDDEN", /A proxy at .* refuses the call \(HTTP 403\)/],
  [404, "FORBIDDEN", /does not know this service/],
  [413, "REQUEST_INVALID", /refuses a request of this size \(HTTP 413\)/],
  [431, "REQUEST_INVALID", /refuses headers of this size/],
  [500, "INTERNAL", /HTTP 500/],
];

for (const [status, reason, said] of refusals) {
  test(`HTTP ${status} of a proxy is ${reason}, and not asked again`, async (t) => {
    const { address, calls } = await httpServer(t, () => status);
    await using client = connect({ address });
    await assert.rejects(client.runPlugin("p", "a"), { reason, message: said });
    await assert.rejects(client.watchJob("j").next(), { reason });
    assert.equal(calls(), 2);
  });
}

test("HTTP 502, 503 and 504 of a proxy are UNAVAILABLE, and asked again", async (t) => {
  const answers = [502, 503, 504];
  const { address, calls } = await httpServer(t, () => answers.shift() ?? 403);
  await using client = connect({ address });
  await assert.rejects(client.runPlugin("p", "a"), { reason: "FORBIDDEN" });
  assert.equal(calls(), 4);
});

/** A proxy that answers every call with a status of HTTP. */
async function httpServer(t: TestContext, next: () => number) {
  let calls = 0;
  const server = createHttp2Server().listen(0, "127.0.0.1");
  server.on("stream", (stream) => {
    calls += 1;
    stream.respond({ ":status": next(), "content-type": "text/html" });
    stream.end("<html>");
  });
  await once(server, "listening");
  const sessions = new Set<{ destroy(): void }>();
  server.on("session", (session) => sessions.add(session));
  t.after(() => {
    for (const session of sessions) session.destroy();
    server.close();
  });
  return { address: addressOf(server), calls: () => calls };
}

test("a request above the server's limit is REQUEST_INVALID, and names the option", async () => {
  using server = await fakeServer([unary(method.runPlugin, async () => ({}))]);
  await using client = connect({ address: server.address });
  await assert.rejects(client.runPlugin("p", "a", { text: "x".repeat(5_000_000) }), {
    name: "ValidationError",
    reason: "REQUEST_INVALID",
    message: /--max-request-size/,
  });
});

test("an answer that cannot be decoded is this client's own error, and is not asked for again", async () => {
  let calls = 0;
  const damaged = Buffer.concat([
    toBinary(RunPluginResponseSchema, { $typeName: "pluginrunner.v1.RunPluginResponse", nonFinite: [], warnings: [] }),
    Buffer.from([0x0a, 0xff]),
  ]);
  const server = new GrpcServer();
  const definition = serviceDefinition(PluginRunner);
  const raw = Object.fromEntries(
    Object.entries(definition).map(([name, one]) => [name, { ...one, responseSerialize: () => damaged }]),
  );
  server.addService(raw, {
    ...unary(method.runPlugin, async () => {
      calls += 1;
      return {};
    }),
    ...streaming(method.watchJob, async function* () {
      calls += 1;
      yield {};
    }),
  });
  const bound = Promise.withResolvers<number>();
  server.bindAsync("127.0.0.1:0", ServerCredentials.createInsecure(), (error, port) =>
    error ? bound.reject(error) : bound.resolve(port),
  );
  try {
    await using client = connect({ address: `127.0.0.1:${await bound.promise}` });
    for (const call of [() => client.runPlugin("p", "a"), () => client.watchJob("j").next()]) {
      await assert.rejects(call(), { reason: "INTERNAL", message: /cannot be read by this client/, isFinal: true });
    }
    assert.equal(calls, 2);
  } finally {
    server.forceShutdown();
  }
});

test("a proxy of the environment is not asked for the way to this machine", async (t) => {
  const names = ["http_proxy", "https_proxy", "grpc_proxy", "no_proxy", "no_grpc_proxy"];
  const kept = names.map((name) => [name, process.env[name]] as const);
  t.after(() => {
    for (const [name, value] of kept) {
      if (value === undefined) delete process.env[name];
      else process.env[name] = value;
    }
  });
  for (const name of names) delete process.env[name];
  process.env.http_proxy = "http://127.0.0.1:1";
  using server = await fakeServer([unary(method.runPlugin, async () => ({}))]);
  for (const host of ["127.0.0.1", "localhost"]) {
    await using client = connect({ address: `${host}:${server.port}` });
    assert.equal(await client.runPlugin("p", "a"), null);
  }
});

function addressOf(server: Pick<Server, "address">): string {
  const address = server.address();
  assert.ok(address !== null && typeof address === "object");
  return `127.0.0.1:${address.port}`;
}

test("a server that is silent is given up after the time for connecting, without another try", async (t) => {
  let connections = 0;
  const silent = createServer((socket) => {
    connections += 1;
    t.after(() => socket.destroy());
  }).listen(0, "127.0.0.1");
  t.after(() => silent.close());
  await once(silent, "listening");
  await using client = connect({ address: addressOf(silent), connectTimeoutMs: 50 });
  await assert.rejects(client.runPlugin("p", "a"), { reason: "UNAVAILABLE", message: /It is silent/ });
  assert.equal(connections, 1);
});
