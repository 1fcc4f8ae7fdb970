import assert from "node:assert/strict";
import { once } from "node:events";
import { createServer } from "node:http";
import { type TestContext, test } from "node:test";
import { connectNodeAdapter } from "@connectrpc/connect-node";
import { PluginRunner } from "../../gen/ts/pluginrunner/v1/plugin_runner_pb.ts";
import { connect, RunnerError } from "../../src/browser.ts";

const { method } = PluginRunner;

/** Gives this process what tells pages apart. */
function asPage(t: TestContext, origin: string): EventTarget {
  const events = new EventTarget();
  const page = { location: { origin }, addEventListener: events.addEventListener.bind(events) };
  const kept = Object.getOwnPropertyDescriptors(globalThis);
  for (const [name, value] of Object.entries(page)) {
    Object.defineProperty(globalThis, name, { value, configurable: true, writable: true });
    t.after(() => {
      const before = kept[name as keyof typeof kept];
      if (before) Object.defineProperty(globalThis, name, before);
      else Reflect.deleteProperty(globalThis, name);
    });
  }
  return events;
}

/** A service of Connect whose watches stay open and say nothing further. */
async function service(t: TestContext, first: () => object = () => ({ update: { case: "heartbeat", value: {} } })) {
  const server = createServer(
    connectNodeAdapter({
      routes: (router) => {
        router.service(PluginRunner, {
          getServerInfo: async () => ({ version: "1" }),
          watchJobs: async function* (_, { signal }) {
            yield first();
            await once(signal, "abort");
          },
        });
      },
    }),
  ).listen(0, "127.0.0.1");
  await once(server, "listening");
  t.after(() => {
    server.close();
    server.closeAllConnections();
  });
  const address = server.address();
  assert.ok(address !== null && typeof address === "object");
  return `http://127.0.0.1:${address.port}`;
}

test("in a page, a sixth watch without TLS is refused with the reason, and other calls go on", async (t) => {
  const baseUrl = await service(t);
  asPage(t, "http://page.example");
  const client = connect({ baseUrl });
  t.after(() => client.close());
  const ends: AbortController[] = [];
  const watch = async () => {
    const end = new AbortController();
    ends.push(end);
    const live = Promise.withResolvers<void>();
    const onState = (state: string) => state === "live" && live.resolve();
    const next = client.watchJobs({}, { signal: end.signal, onState }).next();
    await Promise.race([live.promise, next]);
    next.catch(() => {});
  };
  for (let at = 0; at < 5; at++) await watch();
  await assert.rejects(watch(), { reason: "OVERLOADED", message: /end one, .* or use TLS/ });
  assert.equal((await client.serverInfo()).version, "1");
  ends[2]?.abort(new Error("left"));
  await watch();
});

test("outside pages watches are as many as one likes", async (t) => {
  const client = connect({ baseUrl: await service(t) });
  t.after(() => client.close());
  for (let at = 0; at < 7; at++) {
    const live = Promise.withResolvers<void>();
    client
      .watchJobs({}, { onState: (state) => state === "live" && live.resolve() })
      .next()
      .catch(() => {});
    await live.promise;
  }
});

test("a page whose origin is refused is told so, at once", async (t) => {
  asPage(t, "http://page.example");
  let calls = 0;
  t.mock.method(globalThis, "fetch", async (_: string, { mode }: RequestInit = {}) => {
    calls += 1;
    // A browser shows a page of another origin neither the answer nor why there is none.
    if (mode !== "no-cors") throw new TypeError("Failed to fetch");
    return new Response();
  });
  const client = connect({ baseUrl: "http://127.0.0.1:8080" });
  for (const call of [() => client.serverInfo(), () => client.watchJobs().next()]) {
    calls = 0;
    await assert.rejects(call(), { reason: "FORBIDDEN", message: /--http-allow-origin http:\/\/page\.example/ });
    assert.equal(calls, 2);
  }
});

test("a server that has answered before, or does not answer at all, is UNAVAILABLE", async (t) => {
  const baseUrl = await service(t);
  asPage(t, "http://page.example");
  const client = connect({ baseUrl });
  await client.serverInfo();
  t.mock.method(globalThis, "fetch", async () => {
    throw new TypeError("Failed to fetch");
  });
  await assert.rejects(client.serverInfo(), { reason: "UNAVAILABLE" });
  await assert.rejects(connect({ baseUrl }).serverInfo(), { reason: "UNAVAILABLE" });
});

test("what a proxy answers by a status of HTTP, and an answer that cannot be read, are not asked for again", async (t) => {
  const damaged = () =>
    new Response(new Uint8Array([0x0a, 0xff]), { headers: { "content-type": "application/proto" } });
  const page = (status: number) => () => new Response("<html>", { status, headers: { "content-type": "text/html" } });
  const answers: [answer: () => Response, reason: string, said: RegExp, calls: number][] = [
    [page(413), "REQUEST_INVALID", /refuses a request of this size \(HTTP 413\)/, 1],
    [page(403), "FORBIDDEN", /refuses the call/, 1],
    [page(404), "FORBIDDEN", /does not know this service/, 1],
    [page(503), "UNAVAILABLE", /finds no service that answers/, 5],
    [damaged, "INTERNAL", /cannot be read by this client/, 1],
  ];
  for (const [answer, reason, message, expected] of answers) {
    const mocked = t.mock.method(globalThis, "fetch", async () => answer());
    await assert.rejects(connect({ baseUrl: "http://127.0.0.1:1" }).serverInfo(), { reason, message });
    assert.equal(mocked.mock.callCount(), expected);
    mocked.mock.restore();
  }
});

test("watches that have lost the server look for it at once when the network is back", async (t) => {
  let calls = 0;
  const baseUrl = await service(t, () => {
    calls += 1;
    return { update: calls === 1 ? { case: "heartbeat", value: {} } : { case: "reconnect", value: {} } };
  });
  const page = asPage(t, "http://page.example");
  const client = connect({ baseUrl });
  t.after(() => client.close());
  const states: string[] = [];
  const waits = Promise.withResolvers<void>();
  const end = new AbortController();
  let retries = 0;
  const onRetry = () => {
    retries += 1;
    // By now a wait takes longer than this test may.
    if (retries === 9) queueMicrotask(waits.resolve);
    else if (retries < 9) queueMicrotask(() => page.dispatchEvent(new Event("online")));
    else end.abort(new Error("it went on"));
  };
  calls = 1;
  const watch = client.watchJobs({}, { onRetry, onState: (state) => states.push(state), signal: end.signal }).next();
  watch.catch(() => {});
  await waits.promise;
  page.dispatchEvent(new Event("online"));
  await assert.rejects(watch, { message: "it went on" });
});

test("an address that is no URL is refused", () => {
  for (const baseUrl of ["127.0.0.1:8080", "ftp://a", undefined]) {
    assert.throws(
      () => connect({ baseUrl }),
      (error) => error instanceof RunnerError && error.violations[0]?.field === "/baseUrl",
    );
  }
});

test("the calls that take a slot are those of watches", () => {
  assert.deepEqual(
    Object.values(method).flatMap((one) => (one.methodKind === "server_streaming" ? [one.name] : [])),
    ["WatchRun", "SubmitJob", "WatchJob", "WatchJobs"],
  );
});
