import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { fromJson, type MessageInitShape } from "@bufbuild/protobuf";
import { timestampFromMs, ValueSchema } from "@bufbuild/protobuf/wkt";
import { status } from "@grpc/grpc-js";
import { type JobEventSchema, LogSource } from "../../gen/ts/pluginrunner/v1/job_event_pb.ts";
import { type JobSchema, JobState } from "../../gen/ts/pluginrunner/v1/job_pb.ts";
import { PluginRunner } from "../../gen/ts/pluginrunner/v1/plugin_runner_pb.ts";
import { BareStatus, fakeServer, snapshot, streaming, unary, untilGone } from "../grpc/fake-server.ts";
import { command } from "./command.ts";

const { method } = PluginRunner;

type Payload = NonNullable<MessageInitShape<typeof JobEventSchema>["payload"]>;
type Final = Pick<MessageInitShape<typeof JobSchema>, "state" | "result" | "error">;

const succeeded: Final = { state: JobState.SUCCEEDED, result: fromJson(ValueSchema, { accuracy: 0.5 }) };
const ending: Payload = { case: "result", value: { value: succeeded.result } };

/** A server with one job, `j`, which has these events and ends as `final` says. */
function jobServer(payloads: readonly Payload[], final: Final = succeeded, submitted: string[] = []) {
  const job = { jobId: "j", plugin: "p", action: "a" };
  return fakeServer([
    streaming(method.submitJob, async function* ({ jobId }) {
      submitted.push(jobId);
      yield snapshot({ ...job, state: JobState.PENDING });
    }),
    streaming(method.watchJob, async function* ({ afterSequence }, signal) {
      yield snapshot({ ...job, state: JobState.PENDING });
      const all = payloads.map((payload, index) => ({
        sequence: BigInt(index + 1),
        eventTime: timestampFromMs(index * 1000),
        payload,
      }));
      yield { update: { case: "events" as const, value: { events: all.slice(Number(afterSequence)) } } };
      await untilGone(signal);
    }),
    unary(method.getJob, async () => ({ job: { ...job, ...final } })),
  ]);
}

const log = (source: LogSource, message: string, level = "", fields = {}): Payload => ({
  case: "log",
  value: { source, message, level, fields },
});

const progress = (current: number, message = ""): Payload => ({
  case: "progress",
  value: { step: "train", current, total: 4, message },
});

describe("watch", () => {
  test("shows what happens on standard error and the result on standard output", async () => {
    using server = await jobServer([
      { case: "stateChanged", value: { state: JobState.PENDING, detail: "setting up the environment" } },
      { case: "stateChanged", value: { state: JobState.RUNNING } },
      progress(1, "epoch 1"),
      progress(2, "epoch 2"),
      { case: "metrics", value: { step: "epoch 2", values: { loss: 0.25 } } },
      log(LogSource.STDOUT, "plain"),
      log(LogSource.LOGGER, "careful", "WARNING", { disk: "full", free: 0 }),
      log(LogSource.SERVICE, "3 lines were dropped"),
      { case: "artifact", value: { name: "model", uri: "file:///m.bin", sizeBytes: 12n } },
      progress(4),
      ending,
    ]);
    const { code, out, err } = await command(["watch", "j"], { address: server.address });
    assert.equal(code, 0);
    assert.equal(out, '{\n  "accuracy": 0.5\n}\n');
    assert.deepEqual(err.trimEnd().split("\n"), [
      "job j: p a, PENDING",
      "PENDING: setting up the environment",
      "RUNNING",
      "train   25%  1/4  epoch 1",
      "train   50%  2/4  ETA 2s  epoch 2",
      "metrics epoch 2 loss=0.25",
      "plain",
      "WARNING careful disk=full free=0",
      "service: 3 lines were dropped",
      "artifact model: file:///m.bin (12 bytes)",
      "train  100%  4/4  in 7s",
    ]);
  });

  test("neutralises terminal escapes, and shows of a redrawn line what is left of it", async () => {
    using server = await jobServer([
      log(LogSource.STDOUT, "\x1b]0;title\x07\x1b[2J"),
      log(LogSource.STDERR, " 10%\r 50%\r100%\r"),
      ending,
    ]);
    const { err } = await command(["watch", "j"], { address: server.address });
    assert.deepEqual(err.split("\n").slice(1, 3), ["\\x1b]0;title\\x07\\x1b[2J", "100%"]);
  });

  test("prints snapshot and events as JSON Lines with --json", async () => {
    using server = await jobServer([progress(1), ending]);
    const { code, out, err } = await command(["watch", "j", "--json"], { address: server.address });
    assert.deepEqual([code, err], [0, ""]);
    const lines = out.trimEnd().split("\n");
    const [first, second, third] = lines.map((line) => JSON.parse(line));
    assert.equal(first.snapshot.jobId, "j");
    assert.deepEqual([second.event.sequence, second.event.progress.total], ["1", 4]);
    assert.deepEqual(third.event.result, { value: { accuracy: 0.5 } });
  });

  test("leaves out what --after covers", async () => {
    using server = await jobServer([log(LogSource.STDOUT, "one"), log(LogSource.STDOUT, "two"), ending]);
    const { err } = await command(["watch", "j", "--after", "1"], { address: server.address });
    assert.deepEqual(err.trimEnd().split("\n").slice(1), ["two"]);
  });

  test("tells of an outage in one line, however many tries it takes, and of its end", async () => {
    let connections = 0;
    using server = await fakeServer([
      streaming(method.watchJob, async function* () {
        connections += 1;
        if (connections === 2 || connections === 3) throw new BareStatus(status.UNAVAILABLE, "a long text");
        yield snapshot({ jobId: "j", state: JobState.RUNNING });
        if (connections === 1) throw new BareStatus(status.UNAVAILABLE, "a long text");
        const events = [{ sequence: 1n, payload: ending }];
        yield { update: { case: "events" as const, value: { events } } };
      }),
      unary(method.getJob, async () => ({ job: { ...succeeded, jobId: "j" } })),
    ]);
    const { address } = server;
    const { code, err } = await command(["watch", "j"], { address });
    assert.equal(code, 0, err);
    const outage = err.trimEnd().split("\n").slice(1);
    assert.deepEqual(outage, [`The server at ${address} does not answer. Looking for it.`, "The server is back."]);
  });

  test("shows numbers that JSON has no literal for by their names, and with --json as texts that are named", async () => {
    const metrics = { step: "", values: { loss: "NaN" }, nonFinite: ["/loss"] };
    const result = { value: fromJson(ValueSchema, ["Infinity", "NaN"]), nonFinite: ["/0"] };
    const record = { ...succeeded, result: result.value, nonFiniteResult: result.nonFinite };
    using server = await jobServer(
      [
        { case: "metrics", value: metrics },
        { case: "result", value: result },
      ],
      record,
    );
    const { address } = server;
    const plain = await command(["watch", "j"], { address });
    assert.match(plain.err, /metrics loss=NaN/);
    assert.equal(plain.out, '[\n  Infinity,\n  "NaN"\n]\n');
    const [, ...events] = (await command(["watch", "j", "--json"], { address })).out.trimEnd().split("\n");
    assert.partialDeepStrictEqual(
      events.map((line) => JSON.parse(line)),
      [
        { event: { metrics: { values: { loss: "NaN" }, nonFinite: ["/loss"] } } },
        { event: { result: { value: ["Infinity", "NaN"], nonFinite: ["/0"] } } },
      ],
    );
  });

  test("shows what can be carried of a result that JSON cannot carry", async () => {
    const error = {
      reason: "RESULT_INVALID",
      message: "No.",
      state: JobState.FAILED,
      partialResult: fromJson(ValueSchema, { loss: "NaN", model: null }),
      nonFinite: ["/loss"],
    };
    using server = await jobServer([{ case: "error", value: error }], { state: JobState.FAILED, error });
    const { code, err } = await command(["watch", "j"], { address: server.address });
    assert.equal(code, 1);
    assert.match(err, /What can be carried of the result:\n\{\n {2}"loss": NaN,\n {2}"model": null\n\}\n$/);
  });

  test("ends with the error of a job that failed, and with its exit code", async () => {
    const error = { reason: "DEADLINE", message: "Too slow.", state: JobState.FAILED };
    using server = await jobServer([{ case: "error", value: error }], { state: JobState.FAILED, error });
    const { code, out, err } = await command(["watch", "j"], { address: server.address });
    assert.deepEqual([code, out], [8, ""]);
    assert.match(err, /error: Too slow\. \[DEADLINE\]\n$/);
  });
});

describe("submit", () => {
  test("submits once and then watches", async () => {
    const submitted: string[] = [];
    using server = await jobServer([ending], succeeded, submitted);
    const { code, out } = await command(["submit", "p", "a", "--job-id", "j"], { address: server.address });
    assert.deepEqual([code, submitted], [0, ["j"]]);
    assert.deepEqual(JSON.parse(out), { accuracy: 0.5 });
  });

  test("with --detach prints only the id", async () => {
    using server = await jobServer([]);
    const plain = await command(["submit", "p", "a", "--detach"], { address: server.address });
    assert.deepEqual(plain, { code: 0, out: "j\n", err: "" });
  });

  test("leaves the job running on an interrupt, and says how to go on", async () => {
    using server = await jobServer([progress(1)]);
    const interrupt = new AbortController();
    const onErr = (text: string) => text.includes("25%") && interrupt.abort();
    const { code, err } = await command(["submit", "p", "a"], {
      address: server.address,
      signal: interrupt.signal,
      onErr,
    });
    assert.equal(code, 130);
    const address = server.address.replaceAll(".", "\\.");
    const again = `plugin-runner watch j --address ${address}\`.*\`plugin-runner cancel j --address ${address}`;
    assert.match(err, new RegExp(`\`${again}\``));
  });

  test("shows what the action does not use of its params", async () => {
    const warnings = [{ field: "/params/epoch", description: 'is not used; did you mean "epochs"?' }];
    using server = await fakeServer([
      streaming(method.submitJob, async function* () {
        yield snapshot({ jobId: "j", warnings });
      }),
    ]);
    const { err } = await command(["submit", "p", "a", "--detach"], { address: server.address });
    assert.equal(err, 'warning: /params/epoch: is not used; did you mean "epochs"?\n');
  });

  test("with --cancel-on-interrupt cancels the job and watches it to its end", async () => {
    const cancelled = Promise.withResolvers<void>();
    const error = { reason: "CANCELLED", message: "The job was cancelled.", state: JobState.CANCELLED };
    using server = await fakeServer([
      streaming(method.submitJob, async function* () {
        yield snapshot({ jobId: "j" });
      }),
      streaming(method.watchJob, async function* () {
        yield snapshot({ jobId: "j" });
        await cancelled.promise;
        const events = [{ sequence: 1n, payload: { case: "error" as const, value: error } }];
        yield { update: { case: "events" as const, value: { events } } };
      }),
      unary(method.cancelJob, async ({ jobId }) => {
        cancelled.resolve();
        return { job: { jobId } };
      }),
      unary(method.getJob, async () => ({ job: { jobId: "j", state: JobState.CANCELLED, error } })),
    ]);
    const interrupt = new AbortController();
    const { code, err } = await command(["submit", "p", "a", "--cancel-on-interrupt"], {
      address: server.address,
      signal: interrupt.signal,
      onErr: (text) => text.startsWith("job j") && interrupt.abort(),
    });
    assert.equal(code, 9);
    assert.match(err, /Cancelling job j\.\nerror: The job was cancelled\. \[CANCELLED\]\n/);
  });
});
