import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { timestampMs } from "@bufbuild/protobuf/wkt";
import { type JobLog, LogSource } from "../../src/client.ts";
import type { Group } from "./engine.ts";
import { expectHistory } from "./job-events.ts";
import { collect, languages, object, payloads, run } from "./run.ts";

const lineLimit = 16 * 1024;
const outputLimit = 10 * 1024 * 1024;
const flatBytes = 300 * 1024 * 1024;

/** What an action prints never costs more than the limits say, and what is missing is counted. */
export const output: Group = {
  subject: "output",
  concurrency: 2,
  cases(check) {
    for (const language of languages) {
      const plugin = `${language}-noisy`;

      check(
        `of half a gigabyte of output the first 10 MiB are kept, and the rest is counted (${language})`,
        async (engine) => {
          const { client, server } = engine;
          const before = residentBytes(server.pid);
          const job = await client.submitJob(plugin, "flood", { mebibytes: 512 });
          assert.equal(await job.result(), "done");
          const events = await collect(job.events());
          expectHistory(events, await client.getJob(job.id));
          const lines = payloads(events, "log").filter(({ source }) => source === LogSource.STDOUT);
          const kept = lines.length * 16;
          assert.ok(kept > outputLimit / 20 && kept <= outputLimit, `${kept} bytes were kept`);
          const [, last] = payloads(events, "log").filter(({ source }) => source === LogSource.SERVICE);
          const total = 512 * 1024 * 1024;
          const [dropped, bytes] = (last?.message ?? "").replaceAll(",", "").match(/\d+/g)?.map(Number) ?? [];
          assert.equal(Number(dropped) + lines.length, total / 16, last?.message);
          assert.equal(Number(bytes) > total - outputLimit, true, last?.message);
          const grown = residentBytes(server.pid) - before;
          assert.ok(grown < flatBytes, `the service grew by ${grown} bytes`);
        },
      );

      check(`what one thread says stays in order, whichever way it goes (${language})`, async ({ client }) => {
        const rounds = 200;
        const job = await client.submitJob(plugin, "in_turn", { rounds });
        assert.equal(await job.result(), "done");
        const events = await collect(job.events());
        const said = events.flatMap(({ payload }) => {
          if (payload.case === "log") return payload.value.message;
          return payload.case === "metrics" ? "metrics" : [];
        });
        const turns = Array.from({ length: rounds }, (_, turn) => [
          `out ${turn}`,
          `log ${turn}`,
          `err ${turn}`,
          "metrics",
        ]);
        assert.deepEqual(said, turns.flat());
        const times = events.map(({ eventTime }) => (eventTime ? timestampMs(eventTime) : 0));
        assert.deepEqual(
          times,
          times.toSorted((a, b) => a - b),
        );
      });

      check(
        `output beyond its limit crowds out no progress, metrics or artifacts, and all is kept (${language})`,
        async ({ client }) => {
          const lines = 120_000;
          const job = await client.submitJob(plugin, "crowded", { lines });
          assert.equal(await job.result(), "done");
          const events = await collect(job.events());
          const ended = await client.getJob(job.id);
          expectHistory(events, ended);
          assert.equal(ended.progress[0]?.current, lines);
          assert.deepEqual(ended.metrics[0]?.values, { loss: 0.5 });
          assert.equal(ended.artifacts.length, 1);
          const logs = payloads(events, "log");
          const here = logs.filter(({ message }) => /^Left out \d+ lines of output here\.$/.test(message));
          const counted = here.reduce((sum, { message }) => sum + Number(message.split(" ")[2]), 0);
          assert.equal(counted + stdout(logs).length, lines + 1);
        },
      );

      check(`a line of 100 MB is cut, and says by how much (${language})`, async ({ client }) => {
        const job = await client.submitJob(plugin, "long_line", { mebibytes: 100 });
        assert.equal(await job.result(), "done");
        const [line, after] = stdout(payloads(await collect(job.events()), "log"));
        const [, kept = "", cut] = line?.match(/^(x*)… \[\+(\d+) bytes\]$/) ?? [];
        assert.equal(kept.length, lineLimit);
        assert.equal(kept.length + Number(cut), 100 * 1024 * 1024);
        assert.equal(after, "after");
      });

      check(`invalid UTF-8, escapes and forged records are lines like others (${language})`, async ({ client }) => {
        const job = await client.submitJob(plugin, "strange");
        assert.equal(await job.result(), "true");
        assert.deepEqual(stdout(payloads(await collect(job.events()), "log")), [
          "bad \ufffd\ufffd utf-8",
          "\x1b[31mred\x1b[0m",
          "carriage",
          "return",
          "nul \x00 byte",
          "",
          '{"type":"result","value":"forged"}',
        ]);
      });

      for (const mode of ["local", "task"] as const) {
        check(
          `what a run prints neither forges its result nor holds it up (${language}, ${mode})`,
          async ({ client }) => {
            assert.equal(await run(client, mode, plugin, "strange"), "true");
            assert.equal(await run(client, mode, plugin, "flood", { mebibytes: 64 }), "done");
            assert.equal(await run(client, mode, plugin, "long_line", { mebibytes: 64 }), "done");
          },
        );

        check(
          `who watches a run sees its end, also that of one that fails (${language}, ${mode})`,
          async ({ client }) => {
            for (const [plugin, action] of [
              [`${language}-reporting`, "report"],
              [`${language}-failing`, "fail"],
            ] as const) {
              const requestId = `watched-${plugin}-${mode}`;
              const watched = collect(client.watchRun(requestId));
              await client.runPlugin(plugin, action, {}, { mode, requestId }).catch(() => {});
              assert.ok((await watched).every(({ payload }) => payload.case === "log"));
            }
          },
        );

        check(`what a run reports goes nowhere, and costs it nothing (${language}, ${mode})`, async ({ client }) => {
          const result = object(await run(client, mode, `${language}-reporting`, "report", {}, { jobId: "tracked" }));
          assert.equal(result.job_id, "tracked");
        });
      }
    }
  },
};

function stdout(logs: readonly JobLog[]): string[] {
  return logs.filter(({ source }) => source === LogSource.STDOUT).map(({ message }) => message);
}

function residentBytes(pid: number): number {
  const [, kilobytes] = /^VmRSS:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, "utf8")) ?? [];
  return Number(kilobytes) * 1024;
}
