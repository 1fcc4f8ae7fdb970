import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { fromJson } from "@bufbuild/protobuf";
import { ValueSchema } from "@bufbuild/protobuf/wkt";
import { status } from "@grpc/grpc-js";
import { JobState } from "../../gen/ts/pluginrunner/v1/job_pb.ts";
import { PluginRunner, type WatchJobRequest } from "../../gen/ts/pluginrunner/v1/plugin_runner_pb.ts";
import { connect, ExecutionError, type JobUpdate, type RunnerError } from "../../src/client.ts";
import { PluginRunnerError } from "../../src/errors.ts";
import {
  BareStatus,
  events,
  fakeServer,
  heartbeat,
  reconnect,
  refused,
  snapshot,
  streaming,
  unary,
  untilGone,
} from "./fake-server.ts";

const { method } = PluginRunner;
const running = snapshot({ jobId: "j", state: JobState.RUNNING });

/** What one connection of a watcher sees; it is given the position that the watcher asks for. */
type Script = (
  after: number,
  signal: AbortSignal,
) => AsyncGenerator<ReturnType<typeof snapshot | typeof events> | typeof heartbeat | typeof reconnect>;

/** Watches a job on a server that treats each connection by the next script, and returns what the watcher saw. */
async function watch(scripts: Script[], options = {}) {
  const positions: number[] = [];
  const retries: string[] = [];
  using server = await fakeServer([
    streaming(method.watchJob, ({ afterSequence }: WatchJobRequest, signal) => {
      const script = scripts[positions.push(Number(afterSequence)) - 1];
      return script?.(Number(afterSequence), signal) ?? assert.fail("one connection too many");
    }),
  ]);
  await using client = connect({ address: server.address, ...options });
  const updates: JobUpdate[] = [];
  const onRetry = (error: RunnerError) => retries.push(error.message);
  for await (const update of client.watchJob("j", { onRetry })) updates.push(update);
  return {
    seen: updates.map((update) => (update.event ? Number(update.event.sequence) : "snapshot")),
    positions,
    retries,
  };
}

describe("watchJob()", () => {
  test("yields the snapshot, every event, and ends after the last one", async () => {
    const { seen, positions } = await watch([
      async function* (_, signal) {
        yield running;
        yield events(1, "a", "b");
        yield heartbeat;
        yield events(3, "result");
        await untilGone(signal);
      },
    ]);
    assert.deepEqual(seen, ["snapshot", 1, 2, 3]);
    assert.deepEqual(positions, [0]);
  });

  const cuts: [string, Script][] = [
    [
      "the stream fails with UNAVAILABLE",
      async function* () {
        yield running;
        yield events(1, "a", "b");
        throw new BareStatus(status.UNAVAILABLE);
      },
    ],
    [
      "a proxy resets the stream",
      async function* () {
        yield running;
        yield events(1, "a", "b");
        throw new BareStatus(status.INTERNAL, "Received RST_STREAM with code 2");
      },
    ],
    [
      "a stopping server cancels the stream",
      async function* () {
        yield running;
        yield events(1, "a", "b");
        throw new BareStatus(status.CANCELLED);
      },
    ],
    [
      "the stream ends OK too early",
      async function* () {
        yield running;
        yield events(1, "a", "b");
      },
    ],
    [
      "the server says reconnect",
      async function* (_, signal) {
        yield running;
        yield events(1, "a", "b");
        yield reconnect;
        await untilGone(signal);
      },
    ],
    [
      "events are missing from the stream",
      async function* () {
        yield running;
        yield events(1, "a", "b");
        yield events(5, "e");
      },
    ],
    [
      "the stream falls silent",
      async function* (_, signal) {
        yield running;
        yield events(1, "a", "b");
        await untilGone(signal);
      },
    ],
  ];

  for (const [what, script] of cuts) {
    test(`resumes from the last event when ${what}`, async () => {
      const { seen, positions, retries } = await watch(
        [
          script,
          async function* () {
            yield running;
            yield events(2, "b", "c");
            yield events(4, "result");
          },
        ],
        { heartbeatTimeoutMs: 1500 },
      );
      assert.deepEqual(seen, ["snapshot", 1, 2, 3, 4]);
      assert.deepEqual(positions, [0, 2]);
      assert.equal(retries.length, 1);
    });
  }

  test("survives more cuts in a row than a server is given that never answered", async () => {
    const cut: Script = async function* (after) {
      yield running;
      yield events(after + 1, "x");
      throw new BareStatus(status.UNAVAILABLE);
    };
    const end: Script = async function* (after) {
      yield running;
      yield events(after + 1, "result");
    };
    const { seen } = await watch([cut, cut, cut, cut, cut, cut, end]);
    assert.deepEqual(seen, ["snapshot", 1, 2, 3, 4, 5, 6, 7]);
  });

  test("finds a server that was started again", async () => {
    const first = Promise.withResolvers<void>();
    const before = await fakeServer([
      streaming(method.watchJob, async function* (_, signal) {
        yield running;
        yield events(1, "a");
        await untilGone(signal);
      }),
    ]);
    await using client = connect({ address: before.address });
    const seen: number[] = [];
    const watching = (async () => {
      for await (const { event } of client.watchJob("j")) {
        if (event) seen.push(Number(event.sequence));
        if (event) first.resolve();
      }
    })();
    await first.promise;
    before[Symbol.dispose]();
    using _after = await fakeServer(
      [
        streaming(method.watchJob, async function* ({ afterSequence }) {
          assert.equal(afterSequence, 1n);
          yield running;
          yield events(2, "b", "result");
        }),
      ],
      before.port,
    );
    await watching;
    assert.deepEqual(seen, [1, 2, 3]);
  });

  test("ends at once when there is nothing behind the position", async () => {
    using server = await fakeServer([
      streaming(method.watchJob, async function* () {
        yield snapshot({ jobId: "j", state: JobState.FAILED, lastSequence: 7n });
      }),
    ]);
    await using client = connect({ address: server.address });
    let updates = 0;
    for await (const _ of client.watchJob("j", { afterSequence: 7 })) updates += 1;
    assert.equal(updates, 1);
  });

  for (const reason of ["JOB_NOT_FOUND", "EVENTS_EXPIRED"] as const) {
    test(`throws ${reason} at once`, async () => {
      const refuse = refused(new PluginRunnerError(reason, "no"));
      await assert.rejects(watch([refuse]), { name: "ExecutionError", reason });
    });
  }

  test("gives up a server that never answered after a few tries", async () => {
    const refuse = refused(new BareStatus(status.UNAVAILABLE));
    await assert.rejects(watch(Array<Script>(5).fill(refuse)), { reason: "UNAVAILABLE" });
  });

  test("gives up a server that it has lost for longer than retryForMs", async () => {
    const once: Script = async function* () {
      yield running;
      throw new BareStatus(status.UNAVAILABLE);
    };
    const refuse = refused(new BareStatus(status.UNAVAILABLE));
    await assert.rejects(watch([once, refuse, refuse], { retryForMs: 100 }), { reason: "UNAVAILABLE" });
  });

  test("looks for a server from when it is lost, not from its last word", async () => {
    const silent: Script = async function* (_, signal) {
      yield running;
      await untilGone(signal);
    };
    const end: Script = async function* () {
      yield running;
      yield events(1, "result");
    };
    const { seen } = await watch([silent, end], { heartbeatTimeoutMs: 1500, retryForMs: 1000 });
    assert.deepEqual(seen, ["snapshot", 1]);
  });

  test("throws the signal's reason, also while it waits to try again, and frees the server", async () => {
    const left = Promise.withResolvers<void>();
    using server = await fakeServer([
      streaming(method.watchJob, async function* (_, signal) {
        yield running;
        await untilGone(signal);
        left.resolve();
      }),
    ]);
    await using client = connect({ address: server.address });
    const stop = new AbortController();
    const watching = (async () => {
      for await (const _ of client.watchJob("j", { signal: stop.signal })) stop.abort(new Error("enough"));
    })();
    await assert.rejects(watching, { message: "enough" });
    await left.promise;
  });

  test("frees the server when the iteration is left", async () => {
    const left = Promise.withResolvers<void>();
    using server = await fakeServer([
      streaming(method.watchJob, async function* (_, signal) {
        yield running;
        await untilGone(signal);
        left.resolve();
      }),
    ]);
    await using client = connect({ address: server.address });
    for await (const _ of client.watchJob("j")) break;
    await left.promise;
  });

  test("does not count the time that a slow consumer takes as silence", async () => {
    let connections = 0;
    using server = await fakeServer([
      streaming(method.watchJob, async function* () {
        connections += 1;
        yield running;
        yield events(1, "a", "result");
      }),
    ]);
    await using client = connect({ address: server.address, heartbeatTimeoutMs: 50 });
    for await (const _ of client.watchJob("j")) await sleep(80);
    assert.equal(connections, 1);
  });

  test("does not count the time that a slow consumer takes as time without a server", async () => {
    using server = await fakeServer([
      streaming(method.watchJob, async function* ({ afterSequence }) {
        yield running;
        if (afterSequence > 0n) return yield events(2, "result");
        yield events(1, "a");
        throw new BareStatus(status.UNAVAILABLE);
      }),
    ]);
    await using client = connect({ address: server.address, retryForMs: 50 });
    const seen: unknown[] = [];
    for await (const { event } of client.watchJob("j")) {
      if (event) await sleep(80);
      seen.push(event?.sequence);
    }
    assert.deepEqual(seen, [undefined, 1n, 2n]);
  });
});

describe("JobHandle", () => {
  const submit = streaming(method.submitJob, async function* ({ jobId }) {
    yield snapshot({ jobId });
  });

  test("result() watches from where the job is, and resolves with its result", async () => {
    using server = await fakeServer([
      submit,
      unary(method.getJob, async () => ({ job: { state: JobState.RUNNING, lastSequence: 9n } })),
      streaming(method.watchJob, async function* ({ afterSequence }) {
        assert.equal(afterSequence, 9n);
        yield running;
        const result = { case: "result" as const, value: { value: fromJson(ValueSchema, { ok: true }) } };
        yield { update: { case: "events" as const, value: { events: [{ sequence: 10n, payload: result }] } } };
      }),
    ]);
    await using client = connect({ address: server.address });
    const job = await client.submitJob("p", "a");
    assert.deepEqual(await job.result(), { ok: true });
  });

  test("result() throws what ended the job, as a failed call would", async () => {
    const metadata = { exception_type: "ValueError", action: "a" };
    const error = { reason: "ACTION_FAILED", message: "boom", exceptionType: "ValueError", stack: "at x", metadata };
    using server = await fakeServer([
      submit,
      unary(method.getJob, async ({ jobId }) => ({ job: { jobId, state: JobState.FAILED, error } })),
    ]);
    await using client = connect({ address: server.address });
    const job = await client.submitJob("p", "a", {}, { jobId: "j" });
    const failure: unknown = await job.result().catch((thrown) => thrown);
    assert.ok(failure instanceof ExecutionError);
    assert.deepEqual([failure.reason, failure.message, failure.exceptionType], ["ACTION_FAILED", "boom", "ValueError"]);
    assert.deepEqual([failure.pluginStack, failure.metadata], ["at x", { job_id: "j", action: "a" }]);
  });

  test("events() yields all events, and cancel() returns the job", async () => {
    using server = await fakeServer([
      submit,
      unary(method.cancelJob, async ({ jobId }) => ({ job: { jobId, state: JobState.CANCELLING } })),
      streaming(method.watchJob, async function* () {
        yield running;
        yield events(1, "a", "result");
      }),
    ]);
    await using client = connect({ address: server.address });
    const job = await client.submitJob("p", "a");
    const sequences: bigint[] = [];
    for await (const event of job.events()) sequences.push(event.sequence);
    assert.deepEqual(sequences, [1n, 2n]);
    assert.equal((await job.cancel()).state, JobState.CANCELLING);
  });
});

test("watchJobs() tells of jobs that went away while the stream was cut", async () => {
  let connections = 0;
  using server = await fakeServer([
    streaming(method.watchJobs, async function* (_, signal) {
      connections += 1;
      yield snapshot({ jobId: "a" });
      if (connections === 1) yield snapshot({ jobId: "b" });
      yield heartbeat;
      if (connections === 1) throw new BareStatus(status.UNAVAILABLE);
      yield { update: { case: "removedJobId" as const, value: "a" } };
      await untilGone(signal);
    }),
  ]);
  await using client = connect({ address: server.address });
  const seen: string[] = [];
  for await (const { snapshot: job, removedJobId } of client.watchJobs()) {
    seen.push(job ? job.jobId : `-${removedJobId}`);
    if (removedJobId === "a") break;
  }
  assert.deepEqual(seen, ["a", "b", "a", "-b", "-a"]);
});
