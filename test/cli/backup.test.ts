import assert from "node:assert/strict";
import { existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { prepareDataDir } from "../../src/cli/data-dir.ts";
import { openSqliteStore } from "../../src/job/store/sqlite-store.ts";
import { recordOf } from "../job/fixtures.ts";
import { withoutSmallDisk as skip, smallDisk } from "../support/small-disk.ts";
import { command } from "./command.ts";

for (const place of ["new", "new/deeper"]) {
  test(`a backup or restore into "${place}" of a disk without room for it says so, and leaves nothing there`, {
    skip,
  }, async (t) => {
    const { dataDir, kept } = await backedUp(t);
    using disk = smallDisk("size=4m");
    const to = join(disk.path, place);
    for (const args of [
      ["backup", to, "--data-dir", dataDir],
      ["restore", kept, "--data-dir", to],
    ]) {
      // The second time there is room for the database alone.
      for (const leaving of [8192, 128 * 1024]) {
        disk.fill(leaving);
        const { code, err } = await command(args);
        assert.equal(code, 2, err);
        assert.match(
          err,
          /^error: \S+ cannot hold [a-z ]+: it takes about .* MiB, and .* MiB are free\. .*make room .*\n$/,
        );
        assert.ok(err.includes(to), err);
        disk.free();
        assert.deepEqual(readdirSync(disk.path), []);
      }
      const done = await command(args);
      assert.equal(done.code, 0, done.err);
      for (const name of readdirSync(disk.path)) rmSync(join(disk.path, name), { recursive: true });
    }
  });
}

test("a backup or restore that fails half-way leaves what was there before, and says what to do", {
  skip,
}, async (t) => {
  const { dataDir, kept } = await backedUp(t);
  using disk = smallDisk("size=4m,nr_inodes=12");
  const to = join(disk.path, "new");
  for (const args of [
    ["backup", to, "--data-dir", dataDir],
    ["restore", kept, "--data-dir", to],
  ]) {
    const { code, err } = await command(args);
    assert.equal(code, 2, err);
    assert.match(
      err,
      /^error: \S+\/new cannot hold .*: its disk is full; nothing of it is left\. To go on, make room .*\n$/,
    );
    assert.deepEqual(readdirSync(disk.path), []);
    mkdirSync(to);
    writeFileSync(join(to, ".gitignore"), "mine");
    assert.equal((await command(args)).code, 2);
    assert.deepEqual(readdirSync(to), [".gitignore"]);
    rmSync(to, { recursive: true });
  }
});

test("a backup or restore that is interrupted leaves nothing", async (t) => {
  const { dir, dataDir, kept } = await backedUp(t);
  const signal = AbortSignal.abort();
  const to = join(dir, "new", "deeper");
  assert.equal((await command(["backup", to, "--data-dir", dataDir], { signal })).code, 130);
  assert.equal((await command(["restore", kept, "--data-dir", to], { signal })).code, 130);
  assert.equal(existsSync(join(dir, "new")), false);
});

test("a backup of what is no database, or into a file, is told in a line", async (t) => {
  const { dir, dataDir } = await backedUp(t);
  writeFileSync(join(dir, "file"), "");
  const into = await command(["backup", join(dir, "file"), "--data-dir", dataDir]);
  assert.deepEqual([into.code, into.err], [2, `error: ${dir}/file is not a directory.\n`]);
  writeFileSync(join(dataDir, "jobs.sqlite"), "no database ".repeat(1000));
  const { code, err } = await command(["backup", join(dir, "new"), "--data-dir", dataDir]);
  assert.equal(code, 2);
  assert.match(err, /^error: The database is damaged: .*\n$/);
  assert.equal(existsSync(join(dir, "new")), false);
});

test("a data directory that is refused for a full disk has no half-written .gitignore", { skip }, () => {
  using disk = smallDisk("size=64k");
  disk.fill(0);
  assert.throws(() => prepareDataDir(disk.path), /its file system is full/);
  assert.deepEqual(readdirSync(disk.path), ["filler"]);
});

/** A data directory with one job, whose directory has twenty files, and its backup. */
async function backedUp(t: TestContext): Promise<{ dir: string; dataDir: string; kept: string }> {
  const dir = mkdtempSync(join(tmpdir(), "backup-"));
  t.after(() => rmSync(dir, { recursive: true }));
  const [dataDir, kept] = [join(dir, "data"), join(dir, "kept")];
  const files = join(dataDir, "jobs", "job", "files");
  mkdirSync(files, { recursive: true });
  for (let index = 0; index < 20; index++) writeFileSync(join(files, `${index}`), Buffer.alloc(8192));
  const store = openSqliteStore(join(dataDir, "jobs.sqlite"));
  await store.insert(recordOf("job"));
  await store.close();
  const { code, err } = await command(["backup", kept, "--data-dir", dataDir]);
  assert.equal(code, 0, err);
  return { dir, dataDir, kept };
}
