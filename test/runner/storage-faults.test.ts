import assert from "node:assert/strict";
import { mkdirSync, mkdtempSync, renameSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { findStorageFault, StorageSeen } from "../../src/runner/storage-faults.ts";
import { withoutSmallDisk as skip, smallDisk } from "../support/small-disk.ts";

function placeIn(t: TestContext) {
  const base = mkdtempSync(join(tmpdir(), "storage-"));
  t.after(() => rmSync(base, { recursive: true }));
  const dir = join(base, "data");
  mkdirSync(dir);
  writeFileSync(join(dir, "db"), "");
  const seen = new StorageSeen({ dir, directories: ["jobs"], files: { db: "x", "db-wal": "x" }, reserve: 0 });
  return { dir, away: join(base, "away"), code: async () => (await findStorageFault(seen, undefined))?.code };
}

test("a directory that is whole has no fault, also once its parts are made", async (t) => {
  const { dir, code } = placeIn(t);
  assert.equal(await code(), undefined);
  mkdirSync(join(dir, "jobs"));
  writeFileSync(join(dir, "db-wal"), "");
  assert.equal(await code(), undefined);
});

test("a directory that is moved away, or has another in its place, is missed until it is back", async (t) => {
  const { dir, away, code } = placeIn(t);
  renameSync(dir, away);
  assert.equal(await code(), "moved");
  mkdirSync(dir);
  assert.equal(await code(), "moved");
  rmSync(dir, { recursive: true });
  writeFileSync(dir, "");
  assert.equal(await code(), "moved");
  rmSync(dir);
  renameSync(away, dir);
  assert.equal(await code(), undefined);
});

test("a file that is removed or replaced is missed until it is back, also one that came later", async (t) => {
  const { dir, away, code } = placeIn(t);
  writeFileSync(join(dir, "db-wal"), "");
  assert.equal(await code(), undefined);
  for (const file of ["db", "db-wal"].map((name) => join(dir, name))) {
    renameSync(file, away);
    assert.equal(await code(), "moved");
    writeFileSync(file, "");
    assert.equal(await code(), "moved");
    renameSync(away, file);
    assert.equal(await code(), undefined);
  }
});

test("a file in the place of a part is named", async (t) => {
  const { dir, code } = placeIn(t);
  writeFileSync(join(dir, "jobs"), "");
  assert.equal(await code(), "ENOTDIR");
});

async function faultOn(options: string, reserve: number | undefined, change: (path: string) => void = () => {}) {
  using disk = smallDisk(options);
  const seen = new StorageSeen({ dir: disk.path, directories: ["jobs"], files: {}, reserve });
  change(disk.path);
  return (await findStorageFault(seen, undefined))?.metadata;
}

test("a reserve that was asked for holds, and by default a small disk keeps a twentieth of itself", {
  skip,
}, async () => {
  const all = { free_bytes: "1048576", reserve_bytes: "2097152", code: "reserve" };
  assert.deepEqual(await faultOn("size=1m", 2 * 1024 ** 2), all);
  assert.equal(await faultOn("size=1m", undefined), undefined);
  const some = (bytes: number) => (path: string) => writeFileSync(join(path, "x"), Buffer.alloc(bytes));
  assert.equal(await faultOn("size=1m", undefined, some(900_000)), undefined);
  assert.equal((await faultOn("size=1m", undefined, some(1_020_000)))?.reserve_bytes, "52428");
});

test("a disk that has room but takes hardly any further file is full as well", { skip }, async () => {
  const files = (count: number) => (path: string) => {
    for (let at = 0; at < count; at++) writeFileSync(join(path, `${at}`), "");
  };
  assert.equal(await faultOn("size=1m,nr_inodes=100", undefined, files(90)), undefined);
  const metadata = await faultOn("size=1m,nr_inodes=100", undefined, files(96));
  assert.deepEqual(metadata, { free_files: "3", reserve_files: "5", code: "reserve" });
});

test("a part that is a link to another disk has to have room there", { skip }, async () => {
  using other = smallDisk("size=1m");
  using disk = smallDisk("size=1m");
  const seen = new StorageSeen({ dir: disk.path, directories: ["jobs"], files: {}, reserve: undefined });
  symlinkSync(other.path, join(disk.path, "jobs"));
  assert.equal(await findStorageFault(seen, undefined), undefined);
  other.fill(0);
  assert.equal((await findStorageFault(seen, undefined))?.code, "reserve");
});

test("what was below the reserve has to have a little more to be above it", { skip }, async () => {
  using disk = smallDisk("size=1m");
  const seen = new StorageSeen({ dir: disk.path, directories: [], files: {}, reserve: 512 * 1024 });
  disk.fill(511 * 1024);
  const low = await findStorageFault(seen, undefined);
  assert.equal(low?.code, "reserve");
  disk.fill(0);
  disk.free();
  disk.fill(520 * 1024);
  assert.equal(await findStorageFault(seen, undefined), undefined);
  assert.equal((await findStorageFault(seen, low))?.code, "reserve");
});
