import assert from "node:assert/strict";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { Journal } from "../../src/runtime/journal.ts";
import { OutputLog } from "../../src/runtime/output-log.ts";
import { PatientFile } from "../../src/runtime/patient-file.ts";

/** A stream whose clock stands until a test moves it. */
function printed(t: TestContext) {
  const dir = mkdtempSync(join(tmpdir(), "output-"));
  t.after(() => rmSync(dir, { recursive: true, force: true }));
  let now = 100_000;
  t.mock.method(performance, "now", () => now);
  const file = join(dir, "events.jsonl");
  const stream = new OutputLog(
    "STDERR",
    1000,
    new Journal(new PatientFile(file, { onDropped() {} }), { bytes: 1 << 20, events: 100_000 }),
  );
  return {
    feed: (text: string) => stream.push(Buffer.from(text)),
    end: () => stream.end(),
    pass: (ms: number) => {
      now += ms;
    },
    lines: () =>
      readFileSync(file, "utf8")
        .split("\n")
        .filter((line) => line !== "")
        .map((line) => JSON.parse(line).message),
  };
}

test("a bar becomes lines as it moves, and its last state is whole", (t) => {
  const { feed, pass, lines } = printed(t);
  for (let percent = 0; percent < 100; percent++) {
    pass(100);
    feed(`\r${percent}%|bar`);
  }
  assert.equal(lines().length, 10);
  feed("\r100%|bar\n");
  assert.equal(lines()[0], "0%|bar");
  assert.equal(lines().at(-1), "100%|bar");
  assert.equal(new Set(lines()).size, 11);
});

test("a bar that never ends its line, or clears itself, still shows its last state", (t) => {
  const { feed, end, lines } = printed(t);
  feed("\r1%\r2%\r\n");
  feed("\r1%\r2%\r3%");
  end();
  assert.deepEqual(lines(), ["1%", "2%", "3%"]);
});

test("lines that end in carriage return and newline are lines, and others stay as they are", (t) => {
  const { feed, end, lines } = printed(t);
  feed("a\r\nb\r\n\r\nc\r");
  feed("\nd\n\ne");
  end();
  assert.deepEqual(lines(), ["a", "b", "", "c", "d", "", "e"]);
});
