import assert from "node:assert/strict";
import fs, { appendFileSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { syncBuiltinESMExports } from "node:module";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { followFile } from "../../../src/engine/embedded/follow-file.ts";

const forever = new AbortController().signal;

test("what stands in the file comes from the offset on, then what is appended, until nobody writes", async (t) => {
  const file = fileOf(t);
  writeFileSync(file, "0123456789");
  let ended = false;
  const follower = followFile(file, 4, () => ended, forever);
  assert.equal(await next(follower), "456789");
  appendFileSync(file, "abc");
  assert.equal(await next(follower), "abc");
  appendFileSync(file, "last");
  ended = true;
  assert.equal(await next(follower), "last");
  assert.equal(await next(follower), undefined);
});

test("what was written just before the end is not lost", async (t) => {
  const file = fileOf(t);
  const follower = followFile(
    file,
    0,
    () => {
      writeFileSync(file, "at the last moment");
      return true;
    },
    forever,
  );
  assert.equal(await next(follower), "at the last moment");
  assert.equal(await next(follower), undefined);
});

test("a file that comes later is awaited, and one that never comes ends with its writer", async (t) => {
  const file = fileOf(t);
  const follower = followFile(file, 0, () => false, forever);
  const first = next(follower);
  writeFileSync(file, "late");
  assert.equal(await first, "late");
  await follower.return();
  const none = followFile(join(file, "..", "none"), 0, () => true, forever);
  assert.equal(await next(none), undefined);
});

test("a large file comes whole, in pieces", async (t) => {
  const file = fileOf(t);
  const content = Buffer.alloc(3_000_000, "0123456789abcdef");
  writeFileSync(file, content);
  const chunks: Uint8Array[] = [];
  for await (const chunk of followFile(file, 0, () => true, forever)) chunks.push(chunk);
  assert.ok(chunks.length > 5 && Buffer.concat(chunks).equals(content));
});

test("a file is followed also where the system has no watch left", async (t) => {
  const file = fileOf(t);
  writeFileSync(file, "first");
  t.mock.method(fs, "watch", () => {
    throw Object.assign(new Error("System limit for number of file watchers reached"), { code: "ENOSPC" });
  });
  syncBuiltinESMExports();
  let ended = false;
  const follower = followFile(file, 0, () => ended, forever);
  assert.equal(await next(follower), "first");
  t.mock.restoreAll();
  syncBuiltinESMExports();
  appendFileSync(file, "last");
  ended = true;
  assert.equal(await next(follower), "last");
  assert.equal(await next(follower), undefined);
});

test("the signal ends a wait", async (t) => {
  const leave = new AbortController();
  const waiting = next(followFile(fileOf(t), 0, () => false, leave.signal));
  leave.abort(new Error("left"));
  await assert.rejects(waiting, /left/);
});

function fileOf(t: TestContext): string {
  const dir = mkdtempSync(join(tmpdir(), "follow-"));
  t.after(() => rmSync(dir, { recursive: true, force: true }));
  return join(dir, "events.jsonl");
}

async function next(follower: AsyncGenerator<Uint8Array>): Promise<string | undefined> {
  const { value, done } = await follower.next();
  return done ? undefined : Buffer.from(value).toString();
}
