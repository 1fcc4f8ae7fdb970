import assert from "node:assert/strict";
import { closeSync, mkdtempSync, rmSync, statSync, writeSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { lastWordsOf, openSupervisorLog } from "../../../src/engine/embedded/supervisor-log.ts";
import { withoutSmallDisk as skip, smallDisk } from "../../support/small-disk.ts";

test("what a supervisor says is told of a job that left no word, its last line first of all", (t) => {
  const dir = temporary(t);
  assert.equal(lastWordsOf(dir), undefined);
  say(dir, "Traceback:\n  a line\nOSError: [Errno 5] Input/output error\n");
  const error = lastWordsOf(dir);
  assert.match(error?.message ?? "", /left no word but this: OSError: \[Errno 5\] Input\/output error$/);
  assert.match(error?.metadata.stderr_tail ?? "", /^Traceback:/);
  assert.equal(statSync(join(dir, "supervisor.log")).mode & 0o777, 0o600);
});

test("a supervisor that says nothing leaves no words, and a directory that is gone takes none", (t) => {
  const dir = temporary(t);
  say(dir, "");
  assert.equal(lastWordsOf(dir), undefined);
  assert.equal(openSupervisorLog(join(dir, "gone")), "ignore");
});

test("a supervisor can still say that the disk is full", { skip }, () => {
  using disk = smallDisk("size=64k");
  const log = openSupervisorLog(disk.path);
  disk.fill(0);
  assert.ok(log !== "ignore");
  writeSync(log, "ENOSPC: no space left on device, write\n");
  closeSync(log);
  assert.match(lastWordsOf(disk.path)?.message ?? "", /ENOSPC/);
});

function temporary(t: TestContext): string {
  const dir = mkdtempSync(join(tmpdir(), "supervisor-log-"));
  t.after(() => rmSync(dir, { recursive: true, force: true }));
  return dir;
}

function say(dir: string, text: string): void {
  const log = openSupervisorLog(dir);
  assert.ok(log !== "ignore");
  writeSync(log, text);
  closeSync(log);
}
