import assert from "node:assert/strict";
import { test } from "node:test";
import { create, type MessageInitShape, toBinary } from "@bufbuild/protobuf";
import { timestampFromMs } from "@bufbuild/protobuf/wkt";
import { JobEventSchema } from "../../gen/ts/pluginrunner/v1/job_event_pb.ts";
import { type Job, JobSchema, JobState } from "../../gen/ts/pluginrunner/v1/job_pb.ts";
import { applyEvent } from "../../src/job/apply-event.ts";
import { recordOf } from "./fixtures.ts";

type Payload = NonNullable<MessageInitShape<typeof JobEventSchema>["payload"]>;

test("a snapshot has the newest of every step and name, in the order in which they were first seen", () => {
  const job = after(
    { case: "progress", value: { step: "a", current: 1, total: 2 } },
    { case: "progress", value: { step: "b", current: 1, total: 9 } },
    { case: "progress", value: { step: "a", current: 2, total: 2 } },
    { case: "metrics", value: { step: "a", values: { loss: 2 } } },
    { case: "metrics", value: { step: "a", values: { loss: 1 } } },
    { case: "artifact", value: { name: "model", uri: "file:///1" } },
    { case: "artifact", value: { name: "model", uri: "file:///2" } },
  );
  assert.deepEqual(
    job.progress.map(({ step, current }) => [step, current]),
    [
      ["a", 2],
      ["b", 1],
    ],
  );
  assert.deepEqual(
    job.metrics.map(({ values }) => values),
    [{ loss: 1 }],
  );
  assert.deepEqual(
    job.artifacts.map(({ uri }) => uri),
    ["file:///2"],
  );
  assert.equal(job.lastSequence, 7n);
});

test("the first RUNNING is the start, and the terminal event the end", () => {
  const running: Payload = { case: "stateChanged", value: { state: JobState.RUNNING } };
  const job = after(running, running, {
    case: "result",
    value: { value: { kind: { case: "numberValue", value: 1 } } },
  });
  assert.deepEqual([job.state, job.startTime?.seconds, job.endTime?.seconds], [JobState.SUCCEEDED, 1n, 3n]);
  const failed = after(running, { case: "error", value: { state: JobState.FAILED, reason: "DEADLINE" } });
  assert.deepEqual([failed.state, failed.error?.reason, failed.endTime?.seconds], [JobState.FAILED, "DEADLINE", 2n]);
});

test("whatever an action reports, a snapshot fits into a message", () => {
  const large = "x".repeat(200_000);
  const items = Array.from({ length: 200 }, (_, index): Payload[] => [
    { case: "progress", value: { step: `${index}`, current: 1, total: 2, message: large } },
    { case: "metrics", value: { step: `${index}`, values: { large } } },
    { case: "artifact", value: { name: `${index}`, uri: "file:///1", metadata: { large } } },
    { case: "artifact", value: { name: `${large}${index}` } },
    { case: "metrics", value: { step: `m${index}`, values: { x: "x".repeat(8000) } } },
  ]);
  const job = after(...items.flat());
  assert.ok(toBinary(JobSchema, job).length < 3 * 1024 * 1024);
  assert.deepEqual([job.progress.length, job.metrics.length, job.artifacts.length], [100, 100, 100]);
  assert.equal(job.artifacts[0]?.uri, "file:///1");
});

function after(...payloads: Payload[]): Job {
  const { job } = recordOf("job");
  for (const [index, payload] of payloads.entries()) {
    const eventTime = timestampFromMs((index + 1) * 1000);
    applyEvent(job, create(JobEventSchema, { sequence: BigInt(index + 1), eventTime, payload }));
  }
  return job;
}
