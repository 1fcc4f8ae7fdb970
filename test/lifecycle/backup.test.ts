import assert from "node:assert/strict";
import { mkdirSync, readdirSync, rmSync, statSync, utimesSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { command } from "../cli/command.ts";
import { startServer } from "../support/server.ts";
import { begun, roots, scratch } from "./scratch.ts";

test("a backup of a running service, restored elsewhere: ended jobs are whole, queued ones start, running ones are the original's", async (t) => {
  const files = scratch(t);
  await using server = await startServer({ roots, args: ["--max-running-jobs", "1"] });
  const { client, dataDir } = server;
  const ended = await client.submitJob("counted", "steps", { starts: files.starts, count: 3, pauseMs: 1 });
  assert.equal(await ended.result(), 3);
  const running = await client.submitJob("counted", "hold", files.params);
  await begun(files, 2);
  const queued = await client.submitJob("counted", "quick", { starts: files.starts });
  const kept = join(files.dir, "backup");
  const saved = await command(["backup", kept, "--data-dir", dataDir]);
  assert.equal(saved.code, 0, saved.err);
  assert.match(saved.out, /^3 jobs of /);
  assert.equal((await command(["backup", kept, "--data-dir", dataDir])).code, 2, "it is not empty by now");
  await client.submitJob("counted", "quick", { starts: files.starts });

  await using other = await startServer({ roots });
  await other.end("SIGTERM");
  assert.equal((await command(["restore", kept, "--data-dir", dataDir])).code, 2, "nothing is written over");
  rmSync(other.dataDir, { recursive: true });
  mkdirSync(other.dataDir);
  const restored = await command(["restore", kept, "--data-dir", other.dataDir]);
  assert.equal(restored.code, 0, restored.err);
  await other.start();
  assert.equal((await other.client.getJob(ended.id)).result?.kind.value, 3);
  let told = 0n;
  for await (const update of other.client.watchJob(ended.id)) told = update.event?.sequence ?? told;
  assert.equal(told, (await client.getJob(ended.id)).lastSequence);
  const lost = await watched(other.client.watchJob(running.id));
  assert.equal(lost, "WORKER_LOST");
  assert.match((await other.client.getJob(running.id)).error?.message ?? "", /copy of/);
  assert.equal(await watched(other.client.watchJob(queued.id)), "");
  assert.equal((await other.client.getJob(queued.id)).result?.kind.value, "quick");

  writeFileSync(files.release, "");
  assert.equal(await running.result(), "released", "the original went on");
});

test("a queued job of a restored backup runs what it was submitted with, and finds what its plugin keeps beside its code", async (t) => {
  const files = scratch(t);
  const plugin = join(files.dir, "plugins", "heavy");
  mkdirSync(plugin, { recursive: true });
  writeFileSync(
    join(plugin, "config.yaml"),
    "name: Heavy\ncode: heavy\nactions:\n  weigh: { entrypoint: './weigh.ts#weigh' }\n",
  );
  writeFileSync(join(plugin, ".gitignore"), "weights.bin\n");
  writeFileSync(join(plugin, "weights.bin"), "7 kg");
  const code = (unit: string) => `import { readFileSync } from "node:fs";
    export const weigh = () => readFileSync(import.meta.dirname + "/weights.bin", "utf8") + " ${unit}";`;
  writeFileSync(join(plugin, "weigh.ts"), code("as submitted"));
  const all = [...roots, join(files.dir, "plugins")];
  await using server = await startServer({ roots: all, args: ["--max-running-jobs", "1"] });
  await server.client.submitJob("counted", "hold", files.params);
  const queued = await server.client.submitJob("heavy", "weigh", {});
  const [kept, dataDir] = [join(files.dir, "backup"), join(files.dir, "restored")];
  assert.equal((await command(["backup", kept, "--data-dir", server.dataDir])).code, 0);
  writeFileSync(join(plugin, "weigh.ts"), code("by now"));
  // An archive keeps whole seconds.
  for (const entry of readdirSync(kept, { recursive: true, withFileTypes: true })) {
    const path = join(entry.parentPath, entry.name);
    if (entry.isFile()) utimesSync(path, new Date(), new Date(Math.floor(statSync(path).mtimeMs / 1000) * 1000));
  }
  assert.equal((await command(["restore", kept, "--data-dir", dataDir])).code, 0);
  await using other = await startServer({ roots: all, dataDir });
  assert.equal(await watched(other.client.watchJob(queued.id)), "");
  assert.equal((await other.client.getJob(queued.id)).result?.kind.value, "7 kg as submitted");
});

/** The reason of the error that a job ends with. */
async function watched(updates: AsyncIterable<unknown>): Promise<string> {
  let reason = "";
  for await (const update of updates) reason = /"reason":"(\w+)"/.exec(JSON.stringify(update, plain))?.[1] ?? "";
  return reason;
}

function plain(_key: string, value: unknown): unknown {
  return typeof value === "bigint" ? String(value) : value;
}
