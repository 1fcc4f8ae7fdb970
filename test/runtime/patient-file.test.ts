import assert from "node:assert/strict";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { type Dropped, PatientFile } from "../../src/runtime/patient-file.ts";

for (const code of ["ENOSPC", "EDQUOT", "EIO", "EFBIG"]) {
  test(`what a disk that says ${code} does not take is written later, in order and whole`, (t) => {
    const { disk, file, lines } = onDisk(t);
    disk.code = code;
    disk.room = 8;
    for (const line of ["first", "second", "third"]) file.append([Buffer.from(`${line}\n`)]);
    assert.equal(lines().length, 1);
    assert.equal(file.flush(), false);
    disk.room = 3;
    assert.equal(file.flush(), false);
    disk.room = Number.POSITIVE_INFINITY;
    assert.equal(file.flush(), true);
    file.append([Buffer.from("fourth\n")]);
    assert.deepEqual(lines(), ["first", "second", "third", "fourth"]);
  });
}

test("lines that would wait beyond their room are dropped and counted, and no others", (t) => {
  const { disk, file, lines, dropped } = onDisk(t);
  disk.room = 0;
  file.append([Buffer.from("a\n")]);
  file.append([Buffer.from("b\n"), Buffer.from("c\n")], 4);
  file.append([Buffer.from("report\n")], 100);
  file.append([Buffer.from("result\n")]);
  disk.room = Number.POSITIVE_INFINITY;
  assert.equal(file.flush(), true);
  assert.deepEqual(lines(), ["a", "b", "report", "result"]);
  assert.deepEqual(dropped, [{ lines: 1, bytes: 2, why: "ENOSPC: of the test" }]);
});

test("a file that cannot be made yet is made later", async (t) => {
  const { file, dir, lines } = onDisk(t, "later/events");
  file.append([Buffer.from("first\n")]);
  assert.equal(file.flush(), false);
  mkdirSync(join(dir, "later"));
  await file.written(t.signal);
  assert.deepEqual(lines(), ["first"]);
});

test("who waits for the last line no longer is told what the disk says", async (t) => {
  const { disk, file } = onDisk(t);
  disk.code = "EIO";
  disk.room = 0;
  file.append([Buffer.from("first\n")]);
  await assert.rejects(file.written(AbortSignal.abort()), /EIO: of the test/);
});

test("a failing disk is waited for ten minutes, a full one for longer", async (t) => {
  let now = 0;
  t.mock.method(performance, "now", () => (now += 11 * 60_000));
  const { disk, file } = onDisk(t);
  disk.code = "EIO";
  disk.room = 0;
  file.append([Buffer.from("first\n")]);
  await assert.rejects(file.written(t.signal), /EIO/);
  disk.code = "ENOSPC";
  const written = file.written(t.signal);
  disk.room = Number.POSITIVE_INFINITY;
  await written;
});

/** A file on a disk that takes as many bytes as there is room. */
function onDisk(t: TestContext, name = "events") {
  const dir = mkdtempSync(join(tmpdir(), "patient-"));
  const disk = { room: Number.POSITIVE_INFINITY, code: "ENOSPC" };
  const dropped: Dropped[] = [];
  const write = (fd: number, bytes: NodeJS.ArrayBufferView) => {
    if (disk.room === 0) throw Object.assign(new Error(`${disk.code}: of the test`), { code: disk.code });
    const taken = Math.min(disk.room, bytes.byteLength);
    disk.room -= taken;
    return writeSync(fd, bytes, 0, taken);
  };
  const file = new PatientFile(join(dir, name), { onDropped: (what) => dropped.push(what), write });
  t.after(() => {
    disk.room = Number.POSITIVE_INFINITY;
    file.flush();
    rmSync(dir, { recursive: true, force: true });
  });
  const lines = () => readFileSync(join(dir, name), "utf8").split("\n").slice(0, -1);
  return { dir, disk, file, dropped, lines };
}
