import assert from "node:assert/strict";
import { mkdirSync, mkdtempSync, readdirSync, rmSync, utimesSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { JobState } from "../../gen/ts/pluginrunner/v1/job_pb.ts";
import { openSqliteStore } from "../../src/job/store/sqlite-store.ts";
import { recordOf } from "../job/fixtures.ts";
import { command } from "./command.ts";

test("environments lists what was built, and removes what no job needs", async (t) => {
  const { dataDir, left } = await data(t, { aa11: 40, bb22: 20, cc33: 1 });
  const listed = await command(["environments", "--data-dir", dataDir]);
  assert.equal(listed.code, 0);
  assert.deepEqual(
    listed.out
      .trimEnd()
      .split("\n")
      .slice(1)
      .map((line) => line.split(/\s+/)[0]),
    ["cc33", "bb22", "aa11"],
  );
  const pruned = await command(["environments", "prune", "--unused-for", "30d", "--data-dir", dataDir, "--json"]);
  assert.deepEqual(
    JSON.parse(pruned.out).environments.map(({ digest }: { digest: string }) => digest),
    ["aa11"],
  );
  assert.equal((await command(["environments", "rm", "cc", "--data-dir", dataDir])).code, 0);
  assert.deepEqual(left(), ["bb22"]);
});

test("environments of a directory that is not there, or of a file, are refused", async (t) => {
  const { dataDir } = await data(t, {});
  writeFileSync(join(dataDir, "file"), "");
  for (const path of [join(dataDir, "nowhere"), join(dataDir, "file")]) {
    const refused = await command(["environments", "--data-dir", path]);
    assert.equal(refused.code, 2);
    assert.match(refused.err, new RegExp(`--data-dir ${path} is not there, or is no directory`));
  }
});

test("environments removes nothing that a job needs, and nothing while a service runs", async (t) => {
  const { dataDir, left } = await data(t, { aa11: 40, bb22: 40 });
  const store = openSqliteStore(join(dataDir, "jobs.sqlite"));
  const record = recordOf("job", { state: JobState.RUNNING });
  await store.insert({ ...record, given: { ...record.given, environment: "aa11" } });
  const running = await command(["environments", "prune", "--data-dir", dataDir]);
  assert.deepEqual([running.code, left()], [2, ["aa11", "bb22"]]);
  await store.close();
  const needed = await command(["environments", "rm", "aa11", "--data-dir", dataDir]);
  assert.equal(needed.code, 2);
  assert.match(needed.err, /needed by a job/);
  assert.equal((await command(["environments", "prune", "--data-dir", dataDir])).code, 0);
  assert.deepEqual(left(), ["aa11"]);
});

/** A data directory with environments, by the days since their last use. */
async function data(t: TestContext, days: Readonly<Record<string, number>>) {
  const dataDir = mkdtempSync(join(tmpdir(), "environments-"));
  t.after(() => rmSync(dataDir, { recursive: true, force: true }));
  const dir = join(dataDir, "environments");
  for (const [digest, since] of Object.entries(days)) {
    mkdirSync(join(dir, digest), { recursive: true });
    const marker = join(dir, digest, "plugin-runner-complete");
    writeFileSync(marker, "python");
    const used = new Date(Date.now() - since * 86_400_000);
    utimesSync(marker, used, used);
  }
  return { dataDir, left: () => readdirSync(dir).sort() };
}
