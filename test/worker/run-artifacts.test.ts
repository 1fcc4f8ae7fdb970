import assert from "node:assert/strict";
import { existsSync, mkdirSync, mkdtempSync, rmSync, utimesSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { setTimeout as delay } from "node:timers/promises";
import { silentLog } from "../../src/util/log.ts";
import { RunArtifacts } from "../../src/worker/run-artifacts.ts";

const hourMs = 3_600_000;

test("each process has a place of its own for what its runs make known", (t) => {
  const { open } = scratch(t);
  const artifacts = open(hourMs);
  assert.notEqual(artifacts.place(), artifacts.place());
});

test("what is kept for no time stays with its run", (t) => {
  assert.equal(scratch(t).open(0).place(), "");
});

test("what is older than it is kept for is removed when a service starts, and the rest stays", async (t) => {
  const { artifactOf, open } = scratch(t);
  const old = artifactOf("old", 2 * hourMs);
  const recent = artifactOf("recent", hourMs / 2);
  open(hourMs);
  await gone(old);
  assert.ok(existsSync(recent));
});

test("what becomes older is removed while the service runs", async (t) => {
  const { artifactOf, open } = scratch(t);
  open(1000);
  await gone(artifactOf("new", 0));
});

function scratch(t: TestContext) {
  const dir = mkdtempSync(join(tmpdir(), "artifacts-"));
  t.after(() => rmSync(dir, { recursive: true, force: true }));
  return {
    artifactOf(run: string, ageMs: number): string {
      const path = join(dir, run);
      mkdirSync(path);
      writeFileSync(join(path, "model.txt"), "");
      const seconds = (Date.now() - ageMs) / 1000;
      utimesSync(path, seconds, seconds);
      return path;
    },
    open(keepMs: number): RunArtifacts {
      const artifacts = new RunArtifacts({ dir, keepMs, log: silentLog });
      t.after(() => artifacts.close());
      return artifacts;
    },
  };
}

async function gone(path: string): Promise<void> {
  while (existsSync(path)) await delay(5);
}
