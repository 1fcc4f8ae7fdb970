import assert from "node:assert/strict";
import { mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { PluginRunnerError } from "../../src/errors.ts";
import { Storage } from "../../src/runner/storage.ts";

const skip = process.platform === "linux" ? false : "there is no /dev/full";

function open(t: TestContext, calmMs: number) {
  const dir = mkdtempSync(join(tmpdir(), "storage-"));
  const lines: string[] = [];
  const log = (_level: string, message: string) => lines.push(message);
  const storage = new Storage({ dir, directories: [], files: {}, reserve: 0, log, intervalMs: 5, calmMs });
  const changes: boolean[] = [];
  const available = new Promise<void>((resolve) => {
    storage.onChange((is) => {
      changes.push(is);
      if (is) resolve();
    });
  });
  t.after(() => {
    storage.close();
    rmSync(dir, { recursive: true });
  });
  return { storage, dir, lines, changes, available };
}

function fail(storage: Storage): void {
  try {
    writeFileSync("/dev/full", "x");
  } catch (error) {
    storage.failed(error);
  }
}

test("a write that failed is told at once, and the disk is trusted again once it takes one", { skip }, async (t) => {
  const { storage, dir, lines, changes, available } = open(t, 20);
  await storage.open();
  await storage.ready();
  fail(storage);
  assert.deepEqual(changes, [false]);
  assert.equal(storage.trouble?.code, "ENOSPC");
  await available;
  assert.deepEqual(changes, [false, true]);
  await storage.ready();
  assert.equal(lines.length, 2);
  assert.match(lines.join("\n"), /^new jobs are refused: The disk .* is full.*\nthe data directory is well again/);
  assert.deepEqual(readdirSync(dir), []);
});

test("while writes fail again and again, jobs are refused all the time", { skip }, async (t) => {
  const { storage, changes } = open(t, 3_600_000);
  await storage.open();
  for (let time = 0; time < 3; time++) {
    fail(storage);
    await assert.rejects(storage.ready(), { reason: "STORAGE_UNAVAILABLE", metadata: { code: "ENOSPC" } });
  }
  assert.deepEqual(changes, [false]);
});

test("what is not the disk's fault changes nothing", async (t) => {
  const { storage, changes } = open(t, 20);
  storage.failed(new Error("Something else."));
  storage.failed(new PluginRunnerError("ACTION_FAILED", "No.", { cause: new Error("x") }));
  await storage.ready();
  assert.deepEqual(changes, []);
});
