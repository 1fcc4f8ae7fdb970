import assert from "node:assert/strict";
import { create, equals } from "@bufbuild/protobuf";
import { timestampMs } from "@bufbuild/protobuf/wkt";
import { type Job, type JobEvent, type JobLog, JobProgressSchema, JobState, LogSource } from "../../src/client.ts";
import type { Group } from "./engine.ts";
import { collect, failure, languages, object, payloads } from "./run.ts";

/** What a job says while it runs, in the order in which it says it. */
export const jobEvents: Group = {
  subject: "events of a job",
  concurrency: 2,
  cases(check) {
    for (const language of languages) {
      const plugin = `${language}-reporting`;

      check(
        `everything an action says becomes an event, and the snapshot has the newest (${language})`,
        async (engine) => {
          const { client } = engine;
          const job = await client.submitJob(plugin, "report", {}, { labels: { run: "report" } });
          const events = await collect(job.events());
          const ended = await client.getJob(job.id);
          expectHistory(events, ended);

          const logs = payloads(events, "log");
          assert.deepEqual(linesOf(logs, LogSource.STDOUT), ["printed", "without an end"]);
          assert.deepEqual(linesOf(logs, LogSource.STDERR), ["complained"]);
          const logged = logs.filter(({ source }) => source === LogSource.LOGGER);
          assert.deepEqual(
            logged.map(({ level, message, fields }) => [level, message, fields ?? {}]),
            [
              ["WARNING", "noted", { at: 1 }],
              ["ERROR", "logged", {}],
            ],
          );

          const first = create(JobProgressSchema, { step: "train", current: 1, total: 4, message: "first" });
          const last = create(JobProgressSchema, { step: "train", current: 4, total: 4 });
          const progress = payloads(events, "progress");
          assert.ok(progress[0] && equals(JobProgressSchema, progress[0], first));
          assert.ok(ended.progress[0] && equals(JobProgressSchema, ended.progress[0], last));

          assert.deepEqual(
            ended.metrics.map(({ step, values }) => [step, values]),
            [["train", { loss: 0.5, worst: Number.POSITIVE_INFINITY }]],
          );
          const [artifact] = ended.artifacts;
          assert.match(artifact?.uri ?? "", /^file:\/\/\/.*model\.bin$/);
          assert.deepEqual(
            [artifact?.name, artifact?.mediaType, artifact?.sizeBytes, artifact?.metadata],
            ["model.bin", "application/octet-stream", 3n, { epochs: 3 }],
          );
          assert.equal(artifact?.sha256, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
          assert.deepEqual(object(await job.result()), { job_id: job.id, here: true });
        },
      );

      check(`the record says what was run, and when (${language})`, async ({ client }) => {
        const before = Date.now();
        const options = { labels: { team: "vision" }, env: { TOKEN: "secret" }, timeoutMs: 60_000 };
        const job = await client.submitJob(plugin, "count", { upto: 1 }, options);
        await job.result();
        const ended = await client.getJob(job.id);
        const { info } = { info: await client.getPlugin(plugin) };
        assert.deepEqual([ended.plugin, ended.action, ended.params], [plugin, "count", { upto: 1 }]);
        assert.deepEqual([ended.pluginVersion, ended.pluginDigest], ["1.2.3", info.digest]);
        assert.equal(ended.entrypoint, info.actions.find(({ name }) => name === "count")?.entrypoint);
        assert.deepEqual([ended.labels, ended.envNames], [{ team: "vision" }, ["TOKEN"]]);
        assert.equal(ended.timeout?.seconds, 60n);
        const times = [ended.createTime, ended.startTime, ended.endTime].map((time) => time && timestampMs(time));
        assert.deepEqual(times, times.toSorted());
        assert.ok(Number(times[0]) >= before && Number(times[2]) <= Date.now());
        assert.doesNotMatch(
          JSON.stringify(ended, (_, value) => (typeof value === "bigint" ? `${value}` : value)),
          /secret/,
        );
      });

      check(
        `a job that raises keeps what it said before, and its error is the last event (${language})`,
        async (engine) => {
          const { client } = engine;
          const job = await client.submitJob(plugin, "half");
          const events = await collect(job.events());
          const ended = await client.getJob(job.id);
          expectHistory(events, ended);
          assert.equal(ended.state, JobState.FAILED);
          assert.equal(payloads(events, "progress").length, 1);
          assert.equal(ended.error?.reason, "ACTION_FAILED");
          assert.match(ended.error?.exceptionType ?? "", /^(RuntimeError|RangeError)$/);
          assert.match(ended.error?.stack ?? "", /half/);
          assert.equal((await failure(job.result())).message, ended.error?.message);
        },
      );

      check(
        `lines keep their order, and every watcher sees the same from wherever it starts (${language})`,
        async (engine) => {
          const { client } = engine;
          const upto = 500;
          const job = await client.submitJob(plugin, "count", { upto });
          const [live, second] = await Promise.all([collect(job.events()), collect(job.events())]);
          const later = await collect(job.events());
          expectHistory(live, await client.getJob(job.id));
          assert.deepEqual(
            payloads(live, "log").map(({ message }) => message),
            Array.from({ length: upto }, (_, number) => String(number)),
          );
          assert.deepEqual(second, live);
          assert.deepEqual(later, live);
          const updates = await collect(client.watchJob(job.id, { afterSequence: 100n }));
          assert.deepEqual(
            updates.flatMap(({ event }) => event ?? []),
            live.slice(100),
          );
        },
      );

      check(
        `a position beyond the job's events is refused, and says which there are (${language})`,
        async ({ client }) => {
          const job = await client.submitJob(plugin, "count", { upto: 1 });
          await job.result();
          const { lastSequence } = await client.getJob(job.id);
          const error = await failure(collect(client.watchJob(job.id, { afterSequence: lastSequence + 1n })));
          assert.equal(error.reason, "EVENTS_EXPIRED");
          assert.equal(error.metadata.last_sequence, String(lastSequence));
          assert.equal(error.metadata.oldest_sequence, "1");
        },
      );
    }
  },
};

/** What holds for every job that has run: no gaps, states in order, and one terminal event, the last. */
export function expectHistory(events: readonly JobEvent[], ended: Job): void {
  assert.deepEqual(
    events.map(({ sequence }) => sequence),
    events.map((_, index) => BigInt(index + 1)),
  );
  assert.equal(ended.lastSequence, BigInt(events.length));
  const kinds = events.map(({ payload }) => payload.case);
  const terminal = kinds.filter((kind) => kind === "result" || kind === "error");
  assert.deepEqual(terminal, [kinds.at(-1)]);
  const states = payloads(events, "stateChanged").map(({ state }) => state);
  assert.deepEqual(states, states.toSorted());
  const running = events.findIndex(
    ({ payload }) => payload.case === "stateChanged" && payload.value.state === JobState.RUNNING,
  );
  const said = events.findIndex(({ payload }) => payload.case !== "stateChanged");
  assert.ok(running >= 0 && running < said, "an action said something before its job ran");
}

function linesOf(logs: readonly JobLog[], source: LogSource): string[] {
  return logs.filter((log) => log.source === source).map(({ message }) => message);
}
