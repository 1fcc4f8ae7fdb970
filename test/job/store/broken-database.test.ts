import assert from "node:assert/strict";
import { copyFileSync, existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, type TestContext, test } from "node:test";
import { PluginRunnerError } from "../../../src/errors.ts";
import { errorEvent } from "../../../src/job/follow-events.ts";
import { JobLog } from "../../../src/job/job-log.ts";
import { isDamaged } from "../../../src/job/store/data-loss.ts";
import type { JobStore } from "../../../src/job/store/job-store.ts";
import { salvage } from "../../../src/job/store/salvage.ts";
import { openSqliteStore } from "../../../src/job/store/sqlite-store.ts";
import { walFault } from "../../../src/job/store/wal-faults.ts";
import { WatchHub } from "../../../src/job/watch-hub.ts";
import { lines, recordOf, storeFile } from "../fixtures.ts";

const jobs = 30;
const page = 4096;

/** What is done to the bytes of the main file, and how many jobs at least are saved. */
const damages: readonly (readonly [name: string, damage: (bytes: Buffer) => Buffer, least: number])[] = [
  ["the head of the file is zeroed", (bytes) => bytes.fill(0, 0, 100), jobs],
  ["the first page is zeroed", (bytes) => bytes.fill(0, 0, page), jobs],
  ["the first page is text", (bytes) => bytes.fill("hello ", 0, page), jobs],
  ["the list of free pages is wrong", (bytes) => bytes.fill(0xff, 32, 40), jobs],
  ["the types of pages are wrong", (bytes) => everyPage(bytes, 5, (at) => bytes.writeUInt8(0x77, at)), 0],
  ["the pointers to cells are wrong", (bytes) => everyPage(bytes, 6, (at) => bytes.fill(0xee, at + 12, at + 20)), 0],
  ["records are overwritten", (bytes) => everyPage(bytes, 4, (at) => bytes.fill(0x41, at + 3000, at + 3300)), 0],
  ["all is zeroed", (bytes) => bytes.fill(0), 0],
  ["all is text", (bytes) => bytes.fill("no database "), 0],
  ["the second half is gone", (bytes) => bytes.subarray(0, Math.floor(bytes.length / 2)), 0],
  ["a part of a page is gone", (bytes) => bytes.subarray(0, bytes.length - 1000), 0],
  ...[1, 2, 3, 4, 5, 6].map(
    (seed) => [`bits are flipped (${seed})`, (bytes: Buffer) => flipBits(bytes, seed, 40), 0] as const,
  ),
];

describe("a database that is broken", () => {
  const dir = mkdtempSync(join(tmpdir(), "broken-"));
  const whole = join(dir, "whole.sqlite");
  const expected = new Map<string, string>();
  let live: JobStore;

  before(async () => {
    const store = openSqliteStore(whole);
    for (let index = 0; index < jobs; index++) await addJob(store, `job-${index}`);
    await store.close();
    // With what is in its write-ahead log alone.
    copyFileSync(whole, join(dir, "live.sqlite"));
    live = openSqliteStore(join(dir, "live.sqlite"));
    for (let index = 0; index < 5; index++) await addJob(live, `late-${index}`);
    for (const { jobId } of (await live.list(undefined, 100, undefined)).jobs)
      expected.set(jobId, await told(live, jobId));
  });
  after(async () => {
    await live.close();
    rmSync(dir, { recursive: true });
  });

  for (const [name, damage, least] of damages) {
    test(`${name}: what can be read is served and saved, and nothing else`, async (t) => {
      const file = storeFile(t);
      writeFileSync(file, damage(readFileSync(whole)));
      await check(t, file, expected, least);
    });
  }

  for (const [name, damage, finds] of [
    ["whole", (bytes: Buffer) => bytes, false],
    ["with a broken head", (bytes: Buffer) => bytes.fill(0xff, 0, 32), true],
    ["with a broken frame", (bytes: Buffer) => bytes.fill(0, 32 + 24 + 100, 32 + 24 + 200), true],
    ["zeroed", (bytes: Buffer) => bytes.fill(0), true],
    ["cut", (bytes: Buffer) => bytes.subarray(0, 20), true],
  ] as const) {
    test(`a write-ahead log ${name} keeps what was there before it`, async (t) => {
      const file = storeFile(t);
      copyFileSync(join(dir, "live.sqlite"), file);
      writeFileSync(`${file}-wal`, damage(readFileSync(join(dir, "live.sqlite-wal"))));
      assert.equal(walFault(`${file}-wal`) !== undefined, finds);
      await check(t, file, expected, finds ? jobs : jobs + 5);
    });
  }
});

async function check(t: TestContext, file: string, expected: Map<string, string>, least: number): Promise<void> {
  const work = storeFile(t);
  const fresh = storeFile(t);
  for (const end of ["", "-wal"]) if (existsSync(`${file}${end}`)) copyFileSync(`${file}${end}`, `${work}${end}`);
  const served = await readable(file, expected);
  const { jobs: saved } = await salvage(work, fresh);
  const kept = await readable(fresh, expected);
  assert.ok(kept);
  for (const jobId of served ?? []) assert.ok(kept.has(jobId), `${jobId} was served, and is saved`);
  assert.ok(kept.size >= least && saved >= kept.size, `${kept.size} of ${saved} jobs are whole`);
  const store = openSqliteStore(fresh);
  t.after(() => store.close());
  assert.deepEqual([...store.examine()].flat(), [], "the new one is whole");
  assert.notEqual(await store.insert(recordOf("new")), undefined);
}

/** The jobs that a store tells as they were. Undefined where it refuses to open. */
async function readable(file: string, expected: Map<string, string>): Promise<Set<string> | undefined> {
  const found = new Set<string>();
  let store: JobStore;
  try {
    store = openSqliteStore(file);
  } catch (error) {
    assert.ok(isDamaged(error), String(error));
    return undefined;
  }
  try {
    for (const { jobId, error } of (await store.list(undefined, 100, undefined)).jobs) {
      if (error?.reason === "DATA_LOSS") continue;
      try {
        if ((await told(store, jobId)) === expected.get(jobId)) found.add(jobId);
      } catch (thrown) {
        assert.ok(thrown instanceof PluginRunnerError && thrown.reason === "DATA_LOSS", String(thrown));
      }
    }
  } finally {
    await store.close();
  }
  return found;
}

/** All that a store says of a job. */
async function told(store: JobStore, jobId: string): Promise<string> {
  const record = await store.get(jobId);
  const events = await store.events(jobId, 0n, 1000, Number.POSITIVE_INFINITY);
  const shown = { ...record, events: events.map(({ bytes }) => Buffer.from(bytes).toString("hex")) };
  return JSON.stringify(shown, (_, value) => (typeof value === "bigint" ? String(value) : value));
}

async function addJob(store: JobStore, jobId: string): Promise<void> {
  const record = recordOf(jobId, { params: { text: "p".repeat(500) }, labels: { team: "red" } });
  await store.insert(record);
  const log = new JobLog(record, { store, hub: new WatchHub(), maxEvents: 1000 });
  await log.append(lines(...Array.from({ length: 20 }, (_, at) => `${jobId} line ${at} ${"x".repeat(50)}`)), 100);
  await log.append([errorEvent(log, new PluginRunnerError("DEADLINE", "over"))]);
}

/** Every so manyth page after the first two. */
function everyPage(bytes: Buffer, step: number, damage: (at: number) => void): Buffer {
  for (let at = 2 * page; at < bytes.length; at += step * page) damage(at);
  return bytes;
}

function flipBits(bytes: Buffer, seed: number, count: number): Buffer {
  let state = seed * 2_654_435_761;
  const random = () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return state;
  };
  for (let index = 0; index < count; index++) {
    const at = random() % bytes.length;
    bytes.writeUInt8(bytes.readUInt8(at) ^ (1 << (random() >>> 29)), at);
  }
  return bytes;
}
