import assert from "node:assert/strict";
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { setTimeout as delay } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { isJsonObject } from "../../src/util/json.ts";
import { fixtures, startServer, type TestServer } from "../support/server.ts";

const roots = [join(fixtures, "python"), join(fixtures, "javascript")];
const plugins = ["python-directories", "javascript-directories"];
const modes = ["local", "task"] as const;

test("artifacts of runs outlast a restart, and are removed once they are older than they are kept", async () => {
  await using server = await startServer({ roots });
  const files = await keepEverywhere(server);
  await server.end("SIGTERM");
  await server.start();
  for (const file of files) assert.equal(readFileSync(file, "utf8"), "kept");
  await server.end("SIGTERM");
  await server.start(["--run-artifacts", "10ms"]);
  for (const file of files) while (existsSync(file)) await delay(10);
});

test("with --run-artifacts 0s nothing outlasts its run", async () => {
  await using server = await startServer({ roots, args: ["--run-artifacts", "0s"] });
  for (const file of await keepEverywhere(server)) assert.equal(existsSync(file), false);
});

/** The artifacts of a run of each plugin in each mode. */
async function keepEverywhere({ client }: TestServer): Promise<string[]> {
  const runs = plugins.flatMap((plugin) =>
    modes.map(async (mode) => {
      const result = await client.runPlugin(plugin, "keep", { texts: ["kept"] }, { mode });
      assert.ok(isJsonObject(result) && Array.isArray(result.uris));
      return fileURLToPath(String(result.uris[0]));
    }),
  );
  return Promise.all(runs);
}
