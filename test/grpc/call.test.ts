import assert from "node:assert/strict";
import { once } from "node:events";
import { type TestContext, test } from "node:test";
import { Client, credentials, Metadata, Server, ServerCredentials, type ServiceError, status } from "@grpc/grpc-js";
import { ErrorInfoSchema } from "../../gen/ts/google/rpc/error_details_pb.ts";
import { PluginRunnerError } from "../../src/errors.ts";
import { Admission, type AdmissionOptions } from "../../src/grpc/admission.ts";
import { type CallContext, Calls, type Send } from "../../src/grpc/call.ts";
import { fromCallMetadata } from "../../src/grpc/call-status.ts";
import { findDetail } from "../../src/grpc/status.ts";
import { silentLog } from "../../src/util/log.ts";

test("a handler's result, and what it throws in whatever way, is the one answer of the call", async (t) => {
  const { unary } = await serve(t, { unary: async (request) => `${request}!` });
  assert.equal(await unary("hello"), "hello!");
  const refused = new PluginRunnerError("JOB_NOT_FOUND", "There is no job \ud83d.", { metadata: { job_id: "x" } });
  const throwers = [
    () => Promise.reject(refused),
    () => {
      throw refused;
    },
  ];
  for (const thrower of throwers) {
    const { unary: failing } = await serve(t, { unary: thrower });
    await assert.rejects(failing("hello"), (error) => {
      assert.ok(isServiceError(error));
      assert.deepEqual([error.code, error.details], [status.NOT_FOUND, "There is no job \\ud83d."]);
      const info = findDetail(fromCallMetadata(error.metadata) ?? assert.fail(), ErrorInfoSchema);
      assert.equal(info?.metadata.job_id, "x");
      return true;
    });
  }
});

test("a fault of the service is INTERNAL, and its cause goes to the log and not to the caller", async (t) => {
  const logged: unknown[] = [];
  const log = (_level: string, _message: string, fields = {}) => logged.push(fields);
  const { unary } = await serve(t, { unary: () => Promise.reject(new Error("s3cret")) }, { log });
  await assert.rejects(unary("hello"), (error) => {
    assert.ok(isServiceError(error) && error.code === status.INTERNAL);
    assert.doesNotMatch(JSON.stringify(error), /s3cret/);
    return true;
  });
  assert.match(
    String(Object.values(Object(logged[0])).map((value) => value instanceof Error && value.cause)),
    /s3cret/,
  );
});

test("a stream that throws, at once or later, ends with its status after what was sent", async (t) => {
  const failing = async (_request: string, _context: CallContext, send: Send<string>) => {
    await send("one");
    throw new PluginRunnerError("EVENTS_EXPIRED", "gone");
  };
  const { stream } = await serve(t, { stream: failing });
  assert.deepEqual(await collect(stream("hello")), { messages: ["one"], code: status.OUT_OF_RANGE });
  const { stream: sync } = await serve(t, {
    stream: () => {
      throw new PluginRunnerError("JOB_NOT_FOUND", "no");
    },
  });
  assert.deepEqual(await collect(sync("hello")), { messages: [], code: status.NOT_FOUND });
});

test("a caller that leaves, or whose deadline passes, aborts the signal with that reason", async (t) => {
  const aborted = Promise.withResolvers<unknown>();
  const entered = Promise.withResolvers<void>();
  const wait = (_request: string, { signal }: CallContext) => {
    entered.resolve();
    return new Promise<never>((_resolve, reject) =>
      signal.addEventListener("abort", () => {
        aborted.resolve(signal.reason);
        reject(signal.reason);
      }),
    );
  };
  const { call } = await serve(t, { unary: wait });
  const left = call("hello");
  await entered.promise;
  left.cancel();
  assert.equal(reasonOf(await aborted.promise), "CANCELLED");

  const late = Promise.withResolvers<unknown>();
  const { unary } = await serve(t, {
    unary: (_request, { signal }) =>
      new Promise<never>(() => signal.addEventListener("abort", () => late.resolve(signal.reason))),
  });
  await assert.rejects(unary("hello", 50), (error) => isServiceError(error) && error.code === status.DEADLINE_EXCEEDED);
  assert.equal(reasonOf(await late.promise), "DEADLINE");
});

test("calls beyond the limit are refused with a time to come again, and there is room once one has ended", async (t) => {
  const release = Promise.withResolvers<string>();
  const { unary } = await serve(
    t,
    { unary: (request) => (request === "wait" ? release.promise : Promise.resolve("ok")) },
    { maxCalls: 1 },
  );
  const first = unary("wait");
  await assert.rejects(unary("more"), (error) => isServiceError(error) && error.code === status.RESOURCE_EXHAUSTED);
  release.resolve("done");
  assert.equal(await first, "done");
  assert.equal(await unary("more"), "ok");
});

test("a call without the token reaches no handler", async (t) => {
  let reached = 0;
  const count = async () => {
    reached++;
    return "";
  };
  const { unary, stream } = await serve(t, { unary: count, stream: async () => void count() }, { token: "s3cret" });
  await assert.rejects(unary("hello"), (error) => isServiceError(error) && error.code === status.UNAUTHENTICATED);
  assert.equal((await collect(stream("hello"))).code, status.UNAUTHENTICATED);
  assert.equal(reached, 0);
});

test("a sender waits for a reader that is slow, and is released when that leaves", async (t) => {
  const message = "x".repeat(100_000);
  const ended = Promise.withResolvers<unknown>();
  let sent = 0;
  const flood = async (_request: string, _context: CallContext, send: Send<string>) => {
    try {
      while (true) {
        sent++;
        await send(message);
      }
    } catch (error) {
      ended.resolve(error);
      throw error;
    }
  };
  const { stream } = await serve(t, { stream: flood });
  const call = stream("hello");
  call.on("error", () => {});
  await once(call, "readable");
  call.cancel();
  assert.equal(reasonOf(await ended.promise), "CANCELLED");
  assert.ok(sent < 200, `${sent} messages of 100 KB were sent to a reader of one`);
});

interface Handlers {
  unary?: (request: string, context: CallContext) => Promise<string>;
  stream?: (request: string, context: CallContext, send: Send<string>) => Promise<void>;
}

/** A service of texts with one method of each kind, and a client of it. */
async function serve(t: TestContext, handlers: Handlers, options: Partial<AdmissionOptions> = {}) {
  const calls = new Calls(new Admission({ token: undefined, maxCalls: 100, log: silentLog, ...options }));
  const method = (path: string, responseStream: boolean) => ({
    path,
    requestStream: false,
    responseStream,
    requestSerialize: encode,
    requestDeserialize: String,
    responseSerialize: encode,
    responseDeserialize: String,
  });
  const server = new Server();
  server.addService(
    { unary: method("/test.Texts/Unary", false), stream: method("/test.Texts/Stream", true) },
    {
      unary: calls.unary(handlers.unary ?? (async () => "")),
      stream: calls.stream(handlers.stream ?? (async () => {})),
    },
  );
  const port = await new Promise<number>((resolve, reject) => {
    server.bindAsync("127.0.0.1:0", ServerCredentials.createInsecure(), (error, bound) =>
      error ? reject(error) : resolve(bound),
    );
  });
  const client = new Client(`127.0.0.1:${port}`, credentials.createInsecure());
  t.after(() => {
    client.close();
    server.forceShutdown();
  });
  const call = (request: string, timeoutMs = 10_000, done: (error: unknown, response?: string) => void = () => {}) =>
    client.makeUnaryRequest(
      "/test.Texts/Unary",
      encode,
      String,
      request,
      new Metadata(),
      { deadline: Date.now() + timeoutMs },
      done,
    );
  const unary = (request: string, timeoutMs?: number) =>
    new Promise<string | undefined>((resolve, reject) => {
      call(request, timeoutMs, (error, response) => (error ? reject(error) : resolve(response)));
    });
  const stream = (request: string) => client.makeServerStreamRequest("/test.Texts/Stream", encode, String, request);
  return { call, unary, stream };
}

async function collect(call: AsyncIterable<string>): Promise<{ messages: string[]; code: status }> {
  const messages: string[] = [];
  try {
    for await (const message of call) messages.push(message);
    return { messages, code: status.OK };
  } catch (error) {
    return { messages, code: isServiceError(error) ? error.code : status.UNKNOWN };
  }
}

function encode(text: string): Buffer {
  return Buffer.from(text);
}

function isServiceError(error: unknown): error is ServiceError {
  return error instanceof Error && "code" in error && "details" in error && "metadata" in error;
}

function reasonOf(error: unknown): string {
  return error instanceof PluginRunnerError ? error.reason : String(error);
}
