import assert from "node:assert/strict";
import { closeSync, mkdtempSync, openSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { EventPipe } from "../../src/runtime/event-pipe.ts";
import type { EventRecord } from "../../src/worker/messages.ts";

test("a tight loop of progress leaves a few events, the newest of each step among them, before what comes next", (t) => {
  const dir = mkdtempSync(join(tmpdir(), "pipe-"));
  t.after(() => rmSync(dir, { recursive: true }));
  const file = join(dir, "events");
  const fd = openSync(file, "w");
  t.after(() => closeSync(fd));
  const pipe = new EventPipe(fd, 1024);
  const total = 200_000;
  for (let current = 1; current <= total; current++) {
    pipe.write({ type: "progress", time: 0, step: current % 2 === 0 ? "even" : "odd", current, total, message: "" });
  }
  pipe.write({ type: "log", time: 0, source: "LOGGER", level: "INFO", message: "after", fields: {} });
  const written = readFileSync(file, "utf8").trimEnd().split("\n");
  const events: EventRecord[] = written.map((line) => JSON.parse(line));
  assert.ok(events.length < 500, `${events.length} events`);
  assert.equal(events.at(-1)?.type, "log");
  const last = events.slice(-3, -1).map((event) => (event.type === "progress" ? event.current : undefined));
  assert.deepEqual(last.sort(), [total - 1, total]);
});
