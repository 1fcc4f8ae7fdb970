import assert from "node:assert/strict";
import { test } from "node:test";
import { LogSource } from "../../gen/ts/pluginrunner/v1/job_event_pb.ts";
import type { OutputLine } from "../../src/engine/engine.ts";
import { RunOutputs } from "../../src/runner/run-outputs.ts";
import { silentLog } from "../../src/util/log.ts";

const signal = new AbortController().signal;
const line = (message: string): OutputLine => ({ timeMs: 5, source: "STDOUT", level: "", message });

test("whoever watches a run gets its lines in order, numbered from 1, and ends with it", async () => {
  const outputs = new RunOutputs(silentLog);
  const watched = messages(outputs.watch("r", 60_000, signal));
  const run = outputs.open("r", "plugin", "action");
  run.write(line("one"));
  run.write(line("two"));
  run.close();
  run.write(line("late"));
  assert.deepEqual(await watched, [
    [1n, "one", LogSource.STDOUT],
    [2n, "two", LogSource.STDOUT],
    [3n, "late", LogSource.STDOUT],
  ]);
});

test("a watch may come while its run is under way, and sees what is written from then on", async () => {
  const outputs = new RunOutputs(silentLog);
  const run = outputs.open("r", "plugin", "action");
  run.write(line("before"));
  const watched = messages(outputs.watch("r", 60_000, signal));
  await new Promise(setImmediate);
  run.write(line("after"));
  run.close();
  assert.deepEqual(await watched, [[1n, "after", LogSource.STDOUT]]);
});

test("a watch whose run does not come is RUN_NOT_FOUND", async () => {
  const outputs = new RunOutputs(silentLog, 1);
  await assert.rejects(messages(outputs.watch("r", 60_000, signal)), { reason: "RUN_NOT_FOUND" });
});

test("a watch whose run is refused does not wait for it any longer", async () => {
  const outputs = new RunOutputs(silentLog);
  const watched = messages(outputs.watch("r", 60_000, signal));
  outputs.refuse("r");
  await assert.rejects(watched, { reason: "RUN_NOT_FOUND" });
});

test("what became of a run is nothing to the next one of its id", async () => {
  const outputs = new RunOutputs(silentLog);
  const refused = messages(outputs.watch("r", 60_000, signal));
  outputs.refuse("r");
  await assert.rejects(refused, { reason: "RUN_NOT_FOUND" });
  for (const text of ["one", "two"]) {
    const watched = messages(outputs.watch("r", 60_000, signal));
    const run = outputs.open("r", "plugin", "action");
    run.write(line(text));
    run.close();
    assert.deepEqual(await watched, [[1n, text, LogSource.STDOUT]]);
  }
});

test("a watcher that leaves takes nothing from the others", async () => {
  const outputs = new RunOutputs(silentLog);
  const leaver = new AbortController();
  const left = messages(outputs.watch("r", 60_000, leaver.signal));
  const watched = messages(outputs.watch("r", 60_000, signal));
  leaver.abort(new Error("gone"));
  await assert.rejects(left, /gone/);
  const run = outputs.open("r", "plugin", "action");
  run.write(line("one"));
  run.close();
  assert.deepEqual(await watched, [[1n, "one", LogSource.STDOUT]]);
});

test("a run that fails once it has begun is not refused", async () => {
  const outputs = new RunOutputs(silentLog);
  const watched = messages(outputs.watch("r", 60_000, signal));
  const run = outputs.open("r", "plugin", "action");
  run.write(line("one"));
  run.close();
  outputs.refuse("r");
  assert.deepEqual(await watched, [[1n, "one", LogSource.STDOUT]]);
});

test("a watch that waits for its run ends when the server leaves", async () => {
  const leaving = new AbortController();
  const watched = messages(new RunOutputs(silentLog).watch("r", 60_000, signal, leaving.signal));
  leaving.abort();
  await assert.rejects(watched, { reason: "RUN_NOT_FOUND" });
});

test("a watch ends with the reason of its caller", async () => {
  const outputs = new RunOutputs(silentLog);
  const controller = new AbortController();
  const watched = messages(outputs.watch("r", 60_000, controller.signal));
  controller.abort(new Error("gone"));
  await assert.rejects(watched, /gone/);
});

test("a watcher that takes nothing loses the oldest lines, and is told how many", async () => {
  const outputs = new RunOutputs(silentLog);
  const run = outputs.open("r", "plugin", "action");
  const watch = outputs.watch("r", 60_000, signal);
  const first = watch.next();
  await new Promise(setImmediate);
  for (let index = 0; index < 10_002; index++) run.write(line(`${index}`));
  const { value = [] } = await first;
  const texts = value.map(({ payload }) => (payload.case === "log" ? payload.value.message : ""));
  assert.equal(texts.length, 10_001);
  assert.match(texts[0] ?? "", /^2 lines were left out/);
  assert.equal(texts[1], "2");
  run.close();
  await watch.return();
});

test("the service's log names plugin and action, and gets at most 1,000 lines of a run", () => {
  const logged: unknown[] = [];
  const outputs = new RunOutputs((level, message, fields) => logged.push([level, message, fields]));
  const run = outputs.open("", "digits", "infer");
  run.write({ timeMs: 5, source: "LOGGER", level: "WARNING", message: "careful", fields: { a: 1 } });
  assert.deepEqual(logged, [
    [
      "info",
      "output of a run",
      { plugin: "digits", action: "infer", source: "logger", log_level: "WARNING", text: "careful", fields: { a: 1 } },
    ],
  ]);
  for (let index = 0; index < 1500; index++) run.write(line("x"));
  run.close();
  assert.equal(logged.length, 1001);
  assert.deepEqual(logged.at(-1), [
    "info",
    "output of a run was left out",
    { plugin: "digits", action: "infer", lines: 501 },
  ]);
});

async function messages(watch: ReturnType<RunOutputs["watch"]>): Promise<unknown[]> {
  const all: unknown[] = [];
  for await (const events of watch) {
    for (const { sequence, payload } of events) {
      if (payload.case === "log") all.push([sequence, payload.value.message, payload.value.source]);
    }
  }
  return all;
}
