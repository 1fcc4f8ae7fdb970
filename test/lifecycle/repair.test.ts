import assert from "node:assert/strict";
import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { openDatabase } from "../../src/job/store/database.ts";
import { openSqliteStore } from "../../src/job/store/sqlite-store.ts";
import { command } from "../cli/command.ts";
import { recordOf } from "../job/fixtures.ts";
import { serveRefused, startServer } from "../support/server.ts";
import { withoutSmallDisk as skip, smallDisk } from "../support/small-disk.ts";
import { roots, scratch } from "./scratch.ts";

test("a data directory whose database is broken is refused with the remedy, which brings back what can be read", async (t) => {
  const files = scratch(t);
  await using server = await startServer({ roots });
  const { client, dataDir } = server;
  const job = await client.submitJob("counted", "steps", { starts: files.starts, count: 3, pauseMs: 1 });
  assert.equal(await job.result(), 3);
  const busy = await doctor(dataDir, "--repair");
  assert.equal(busy.code, 2);
  assert.match(busy.said, /Nothing is repaired while a service runs/);
  assert.deepEqual((await doctor(dataDir)).code, 0, "a service that runs can be looked at");
  await server.end("SIGTERM");

  const file = join(dataDir, "jobs.sqlite");
  const broken = readFileSync(file).fill(0, 0, 4096);
  writeFileSync(file, broken);
  const refused = await serveRefused(["--data-dir", dataDir, "--listen", "127.0.0.1:0"]);
  assert.equal(refused.code, 2);
  assert.ok(refused.said.includes(`doctor --data-dir ${dataDir} --repair`), refused.said);
  const found = await doctor(dataDir);
  assert.equal(found.code, 1);
  assert.match(found.said, /FAIL database/);
  assert.deepEqual(readFileSync(file), broken, "a look changes nothing");

  const repaired = await doctor(dataDir, "--repair");
  assert.equal(repaired.code, 0, repaired.said);
  assert.match(repaired.said, /1 jobs with \d+ events were saved/);
  const [aside = ""] = readdirSync(join(dataDir, "set-aside"));
  assert.deepEqual(readFileSync(join(dataDir, "set-aside", aside, "jobs.sqlite")), broken);
  assert.deepEqual(await doctor(dataDir), {
    code: 0,
    said: repaired.said.split("\n")[0]?.concat(`\nok   data directory  ${dataDir}\n`),
  });
  await server.start();
  assert.equal(await job.result(), 3);
  const another = await client.submitJob("counted", "quick", { starts: files.starts });
  assert.equal(await another.result(), "quick");
});

test("a job that has lost its id is listed, and a repair gives it back", async (t) => {
  const { dir } = scratch(t);
  const file = join(dir, "jobs.sqlite");
  const store = openSqliteStore(file);
  await store.insert(recordOf("job"));
  await store.close();
  const { database, close } = openDatabase(file);
  database.exec("UPDATE jobs SET job_id = ''");
  close();
  const found = await doctor(dir);
  assert.equal(found.code, 1);
  assert.match(found.said, /FAIL database +job number 1: its checksum is wrong/);
  assert.match((await doctor(dir, "--repair")).said, /1 jobs with 0 events were saved/);
  assert.equal((await doctor(dir)).code, 0);
  const again = openSqliteStore(file);
  t.after(() => again.close());
  assert.equal((await again.get("job"))?.job.jobId, "job");
});

test("a repair for which the disk has no room says so, and leaves all as it was", { skip }, async () => {
  using disk = smallDisk("size=4m");
  const file = join(disk.path, "jobs.sqlite");
  openDatabase(file).close();
  const broken = readFileSync(file).fill(0, 0, 4096);
  writeFileSync(file, broken);
  disk.fill(3 * 4096);
  const failed = await doctor(disk.path, "--repair");
  assert.equal(failed.code, 2);
  assert.match(failed.said, /Nothing was changed: .*set-aside/);
  assert.deepEqual(readdirSync(join(disk.path, "set-aside")), []);
  assert.deepEqual(readFileSync(file), broken);
  disk.free();
  assert.equal((await doctor(disk.path, "--repair")).code, 0);
});

async function doctor(dataDir: string, ...more: readonly string[]): Promise<{ code: number; said: string }> {
  const { code, out, err } = await command(["doctor", "--data-dir", dataDir, ...more]);
  return { code, said: `${out}${err}` };
}
