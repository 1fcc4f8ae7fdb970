import assert from "node:assert/strict";
import { test } from "node:test";
import { memoryNote, oomKills } from "../../src/util/out-of-memory.ts";

test("only an end that tells of memory is put down to it", () => {
  assert.match(
    memoryNote("SIGABRT", "FATAL ERROR: Reached heap limit - JavaScript heap out of memory"),
    /ran out of memory/,
  );
  assert.match(memoryNote("SIGTRAP", "# Fatal JavaScript out of memory: GC"), /ran out of memory/);
  assert.equal(memoryNote("SIGABRT", "assertion failed"), "");
  assert.equal(memoryNote(null, "JavaScript heap out of memory"), "");
});

test("a kill is the kernel's where it has ended a process for memory since", () => {
  const kills = oomKills();
  if (kills === undefined) return;
  assert.equal(memoryNote("SIGKILL", "", Number.MAX_SAFE_INTEGER), "");
  assert.match(memoryNote("SIGKILL", "", -1), /the kernel ended a process/);
});
