import assert from "node:assert/strict";
import type { JobEvent } from "../../gen/ts/pluginrunner/v1/job_event_pb.ts";
import type { WatchJobResponse } from "../../gen/ts/pluginrunner/v1/plugin_runner_pb.ts";
import { isTerminal as isTerminalState } from "../../src/job/job-state.ts";

/** The messages of one stream of `WatchJob` or `SubmitJob`, from the first to its end or its cut. */
export interface WatchedStream {
  /** What the request gave. */
  after: bigint;
  messages: readonly WatchJobResponse[];
  /** Whether the stream ended with OK. */
  ended: boolean;
}

/**
 * Checks the history of a watch: the streams of one job, each opened after the last event of the one before. Every
 * stream begins with a snapshot; events come once, in order and without gaps; the one terminal event is the last; a
 * stream ends with OK only after it. Returns the events.
 */
export function validateWatch(streams: readonly WatchedStream[]): JobEvent[] {
  const events: JobEvent[] = [];
  let over = false;
  let last = streams[0]?.after ?? 0n;
  for (const [index, { after, messages, ended }] of streams.entries()) {
    assert.equal(after, last, `stream ${index} resumes where the one before was cut`);
    for (const [at, { update }] of messages.entries()) {
      const place = `stream ${index}, message ${at}`;
      assert.equal(update.case === "snapshot", at === 0, `${place}: a snapshot comes first and only first`);
      if (update.case === "snapshot") assert.ok(update.value.lastSequence >= last, `${place}: the job never goes back`);
      if (update.case === "heartbeat") assert.equal(update.value.lastSequence, last, `${place}: what was sent last`);
      if (update.case === "reconnect") {
        assert.equal(update.value.afterSequence, last, `${place}: where to go on`);
        assert.equal(at, messages.length - 1, `${place}: nothing comes after a reconnect`);
      }
      if (update.case !== "events") continue;
      assert.ok(update.value.events.length > 0, `${place}: no message without events`);
      for (const event of update.value.events) {
        assert.equal(event.sequence, last + 1n, `${place}: the next event`);
        assert.ok(!over, `${place}: nothing comes after the terminal event`);
        assert.ok(event.payload.case !== undefined && event.eventTime !== undefined, `${place}: a complete event`);
        over = isTerminal(event);
        events.push(event);
        last = event.sequence;
      }
    }
    if (ended) assert.ok(over || endedAt(messages, last), `stream ${index} ends OK only after the terminal event`);
  }
  return events;
}

/** The same for one that was watched to its end. */
export function validateWholeWatch(streams: readonly WatchedStream[]): JobEvent[] {
  const events = validateWatch(streams);
  assert.equal(streams[0]?.after, 0n);
  assert.ok(streams.at(-1)?.ended, "the last stream ended with OK");
  assert.equal(events.filter(isTerminal).length, 1, "there is one terminal event");
  return events;
}

/** Whether an event is a job's last. */
export function isTerminal({ payload }: JobEvent): boolean {
  return payload.case === "result" || payload.case === "error";
}

/** Whether the job had ended by `last` when the stream began. */
function endedAt(messages: readonly WatchJobResponse[], last: bigint): boolean {
  const update = messages[0]?.update;
  return update?.case === "snapshot" && update.value.lastSequence === last && isTerminalState(update.value.state);
}
