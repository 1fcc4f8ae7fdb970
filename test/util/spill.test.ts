import assert from "node:assert/strict";
import { mkdirSync, mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { Spill } from "../../src/util/spill.ts";

const kib = 1024;

test("what no longer fits into memory is read from a file that has no name", async (t) => {
  const { dir, spill } = made(t, { memoryBytes: 512 * kib });
  const kept = await putMany(spill, 40);
  for (const one of kept) assert.equal(await matches(spill, one), true);
  assert.deepEqual(readdirSync(dir), []);
  assert.ok(spill.inMemory <= 512 * kib);
});

test("the oldest goes where the whole is too much, and the rest is whole", async (t) => {
  const { spill } = made(t, { memoryBytes: 512 * kib, totalBytes: 4096 * kib });
  const kept = await putMany(spill, 100);
  assert.equal(await isLost(spill, kept[0]), true);
  for (const one of kept.slice(-20)) assert.equal(await matches(spill, one), true);
});

test("a record may be larger than all that stays in memory", async (t) => {
  const { spill } = made(t, { memoryBytes: 64 * kib });
  const large = await put(spill, 1, 200 * kib);
  const larger = await put(spill, 2, 3000 * kib);
  const small = await put(spill, 3, 1);
  for (const one of [large, larger, small]) assert.equal(await matches(spill, one), true);
});

test("without a disk the youngest are still there, and the others are known to be lost", async (t) => {
  const { spill, dir } = made(t, { memoryBytes: 512 * kib });
  rmSync(dir, { recursive: true });
  const kept = await putMany(spill, 40);
  for (const one of kept.slice(-2)) assert.equal(await matches(spill, one), true);
  assert.equal(await isLost(spill, kept[0]), true);
});

test("what is written once the disk is there again is kept", async (t) => {
  const { spill, dir } = made(t, { memoryBytes: 512 * kib });
  rmSync(dir, { recursive: true });
  const lost = await putMany(spill, 40);
  mkdirSync(dir);
  const kept = await putMany(spill, 40);
  assert.equal(await isLost(spill, lost[0]), true);
  for (const one of kept) assert.equal(await matches(spill, one), true);
});

test("what stands before a position can be forgotten", async (t) => {
  const { spill } = made(t, { memoryBytes: 512 * kib, totalBytes: 16 * 512 * kib });
  const before = await putMany(spill, 20);
  const start = spill.end;
  const after = await putMany(spill, 20);
  spill.forget(start);
  assert.equal(await isLost(spill, before[0]), true);
  for (const one of after) assert.equal(await matches(spill, one), true);
});

interface Kept {
  index: number;
  length: number;
  position: number;
}

function made(t: TestContext, limits: { memoryBytes: number; totalBytes?: number }) {
  const dir = mkdtempSync(join(tmpdir(), "spill-"));
  const spill = new Spill({ dir, ...limits });
  t.after(async () => {
    await spill.close();
    rmSync(dir, { recursive: true, force: true });
  });
  return { dir, spill };
}

async function put(spill: Spill, index: number, length: number): Promise<Kept> {
  const position = spill.append(length, (room) => room.fill(index));
  await spill.written();
  return { index, length, position };
}

async function putMany(spill: Spill, count: number): Promise<Kept[]> {
  const kept: Kept[] = [];
  for (let index = 0; index < count; index++) kept.push(await put(spill, index, 100 * kib));
  return kept;
}

function filled({ index, length }: Pick<Kept, "index" | "length">): Buffer {
  return Buffer.alloc(length, index);
}

async function isLost(spill: Spill, one: Kept | undefined): Promise<boolean> {
  return one !== undefined && (await spill.read(one.position, one.length)) === undefined;
}

async function matches(spill: Spill, one: Kept): Promise<boolean | undefined> {
  const found = await spill.read(one.position, one.length);
  return found && filled(one).equals(found);
}
