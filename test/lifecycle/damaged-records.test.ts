import assert from "node:assert/strict";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { test } from "node:test";
import { JobState } from "../../gen/ts/pluginrunner/v1/job_pb.ts";
import { startServer, type TestServer } from "../support/server.ts";
import { begun, roots, scratch } from "./scratch.ts";

test("records that cannot be read keep neither the service from starting nor the other jobs from going on", async (t) => {
  const files = scratch(t);
  await using server = await startServer({ roots, args: ["--max-running-jobs", "1", "--heartbeat", "200ms"] });
  const { client } = server;
  const done = await client.submitJob("counted", "quick", { starts: files.starts });
  await done.result();
  const broken = await client.submitJob("counted", "quick", { starts: files.starts });
  await broken.result();
  const running = await client.submitJob("counted", "hold", files.params);
  await begun(files, 3);
  const waiting = await client.submitJob("counted", "quick", { starts: files.starts });
  const unknown = await client.submitJob("counted", "quick", { starts: files.starts });
  const next = await client.submitJob("counted", "quick", { starts: files.starts });
  await server.end("SIGKILL");
  damage(
    server,
    `UPDATE jobs SET summary = x'ffff' WHERE job_id IN ('${broken.id}', '${running.id}', '${unknown.id}')`,
  );
  damage(server, `UPDATE jobs SET given = '{' WHERE job_id = '${waiting.id}'`);
  await server.start();
  for (const { id } of [broken, running, waiting, unknown]) await server.logged(`job=${id}`);

  assert.equal(await next.result(), "quick");
  assert.equal(await done.result(), "quick");
  for (const { id } of [broken, running, unknown]) {
    await assert.rejects(client.getJob(id), { reason: "DATA_LOSS" });
    await assert.rejects(collect(client.watchJob(id)), { reason: "DATA_LOSS" });
  }
  await assert.rejects(waiting.result(), { reason: "DATA_LOSS" });
  const listed = (await collect(client.listJobs())).map(({ jobId, state, error }) => [jobId, state, error?.reason]);
  assert.deepEqual(listed.slice(0, 4), [
    [next.id, JobState.SUCCEEDED, undefined],
    [unknown.id, JobState.FAILED, "DATA_LOSS"],
    [waiting.id, JobState.FAILED, "DATA_LOSS"],
    [running.id, JobState.FAILED, "DATA_LOSS"],
  ]);
  assert.equal(files.counted().starts, 4, "what could not be read was not started");

  for (const { id } of [broken, running, waiting, unknown]) await client.deleteJob(id);
  await server.end("SIGTERM");
  await server.start();
  assert.equal((await collect(client.listJobs())).length, 2);
});

async function collect<T>(items: AsyncIterable<T>): Promise<T[]> {
  const found: T[] = [];
  for await (const item of items) found.push(item);
  return found;
}

function damage({ dataDir }: TestServer, sql: string): void {
  const database = new DatabaseSync(join(dataDir, "jobs.sqlite"));
  database.exec(sql);
  database.close();
}
