import assert from "node:assert/strict";
import { JobState } from "../../src/client.ts";
import { CallersPort } from "./callers-port.ts";
import type { Group } from "./engine.ts";
import { outOfTime } from "./out-of-time.ts";
import { collect, failure, languages, payloads, running } from "./run.ts";

const runModes = ["local", "task"] as const;

/** A deadline or a cancel ends an action, and all that it started. One at a time: what hangs holds up its worker. */
export const stops: readonly Group[] = languages.map((language) => ({
  subject: `stops, ${language}`,
  concurrency: 1,
  cases(check) {
    const plugin = `${language}-endless`;

    for (const mode of runModes) {
      const here = `(${mode})`;

      check(`a run past its timeout is DEADLINE, and its action ends in its own way ${here}`, async ({ client }) => {
        await client.runPlugin(plugin, "ready", {}, { mode });
        const said = await outOfTime(1, (port, timeoutMs) =>
          client.runPlugin(plugin, "polite", { port }, { mode, timeoutMs }),
        );
        assert.deepEqual(said, ["tidied up\n"]);
      });

      check(`a run whose caller leaves ends in its own way ${here}`, async ({ client }) => {
        await using port = await CallersPort.open();
        const caller = new AbortController();
        const options = { mode, signal: caller.signal };
        const ending = client.runPlugin(plugin, "polite", { port: port.number }, options);
        const action = await port.connection();
        caller.abort(new Error("left"));
        await assert.rejects(ending, /left/);
        assert.equal(await action.closed, "tidied up\n");
      });

      check(`a run past its timeout that ignores it is killed ${here}`, async ({ client }) => {
        await client.runPlugin(plugin, "ready", {}, { mode });
        await outOfTime(1, (port, timeoutMs) => client.runPlugin(plugin, "deaf", { port }, { mode, timeoutMs }));
      });

      check(`what a killed run started in sessions of its own is killed too ${here}`, async ({ client }) => {
        await using port = await CallersPort.open();
        const caller = new AbortController();
        const options = { mode, signal: caller.signal };
        const ending = client.runPlugin(plugin, "spreading", { port: port.number }, options);
        const both = [await port.connection(), await port.connection()];
        caller.abort(new Error("left"));
        await assert.rejects(ending, /left/);
        await Promise.all(both.map(({ closed }) => closed));
      });

      check(`the timeout of the configuration holds where the request has none ${here}`, async ({ client }) => {
        await using port = await CallersPort.open();
        await client.runPlugin(plugin, "ready", {}, { mode });
        const error = await failure(client.runPlugin(plugin, "hasty", { port: port.number }, { mode }));
        assert.equal(error.reason, "DEADLINE");
        assert.equal(error.metadata.timeout_seconds, "0.3");
      });
    }

    check(`a job that is cancelled ends in its own way, as CANCELLED`, async ({ client }) => {
      await using port = await CallersPort.open();
      const job = await client.submitJob(plugin, "polite", { port: port.number });
      const action = await port.connection();
      await running(client, job.id);
      const told = await job.cancel();
      assert.equal(told.state, JobState.CANCELLING);
      assert.equal(await action.closed, "tidied up\n");
      const events = await collect(job.events());
      const states = payloads(events, "stateChanged").map(({ state }) => state);
      assert.deepEqual(states.slice(-2), [JobState.RUNNING, JobState.CANCELLING]);
      const [error] = payloads(events, "error");
      assert.deepEqual([error?.state, error?.reason], [JobState.CANCELLED, "CANCELLED"]);
      const ended = await job.cancel();
      assert.equal(ended.state, JobState.CANCELLED);
      assert.equal(ended.lastSequence, events.at(-1)?.sequence);
    });

    check(`a cancelled job that ignores it is killed, with all that it started`, async ({ client }) => {
      await using port = await CallersPort.open();
      const job = await client.submitJob(plugin, "spreading", { port: port.number });
      const both = [await port.connection(), await port.connection()];
      await job.cancel();
      await Promise.all(both.map(({ closed }) => closed));
      assert.equal((await failure(job.result())).reason, "CANCELLED");
    });

    check(`a job past its timeout is FAILED with DEADLINE, and nothing of it lives on`, async ({ client }) => {
      await outOfTime(2, async (port, timeoutMs) => {
        const job = await client.submitJob(plugin, "spreading", { port }, { timeoutMs });
        await collect(job.events());
        assert.equal((await client.getJob(job.id)).state, JobState.FAILED);
        return job.result();
      });
    });
  },
}));
