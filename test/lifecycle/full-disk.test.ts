import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { JobState } from "../../gen/ts/pluginrunner/v1/job_pb.ts";
import { startServer } from "../support/server.ts";
import { withoutSmallDisk as skip, smallDisk } from "../support/small-disk.ts";
import { begun, lines, roots, scratch } from "./scratch.ts";

test("on a full disk a job can be cancelled, others go on once there is room, and the log is not flooded", {
  skip,
}, async (t) => {
  using disk = smallDisk("size=16m");
  const files = scratch(t);
  await using server = await startServer({ roots, dataDir: join(disk.path, "data"), args: ["--disk-reserve", "0"] });
  const submit = () => server.client.submitJob("counted", "hold", files.params);
  const [cancelled, kept] = [await submit(), await submit()];
  await begun(files, 2);
  disk.fill(0);
  assert.equal((await server.client.cancelJob(cancelled.id)).state, JobState.CANCELLING);
  await lines(files.stopped, 1);
  disk.free();
  await assert.rejects(cancelled.result(), { reason: "CANCELLED" });
  writeFileSync(files.release, "");
  assert.equal(await kept.result(), "released");
  assert.ok(server.log().split("is tried again").length <= 3);
});
