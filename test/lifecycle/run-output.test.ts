import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { createClient } from "@connectrpc/connect";
import { createGrpcTransport } from "@connectrpc/connect-node";
import { PluginRunner, RunMode } from "../../gen/ts/pluginrunner/v1/plugin_runner_pb.ts";
import { startServer } from "../support/server.ts";

const runs = [
  ["python", RunMode.LOCAL],
  ["python", RunMode.TASK],
  ["javascript", RunMode.LOCAL],
  ["javascript", RunMode.TASK],
] as const;

describe("what an action of a run writes", () => {
  for (const [language, mode] of runs) {
    const plugin = `${language}-reporting`;
    const name = `${plugin}, ${mode === RunMode.LOCAL ? "local" : "task"}`;

    test(`is in the server's log with plugin and action, and reaches who watches the run (${name})`, async () => {
      await using server = await startServer({ args: ["--log-format", "json"] });
      const client = createClient(
        PluginRunner,
        createGrpcTransport({ baseUrl: `http://${server.address}`, idleConnectionTimeoutMs: 100 }),
      );
      const requestId = `${plugin}-${mode}`;
      const watched = watchedLines(client.watchRun({ requestId }));
      await client.runPlugin({ plugin, action: "report", mode, requestId });
      const lines = await watched;
      for (const text of ["printed", "complained", "noted", "logged", "without an end"]) {
        assert.ok(
          lines.some((line) => line.includes(text)),
          `${text} is not in ${JSON.stringify(lines)}`,
        );
        await server.logged(text);
      }
      const entries = server
        .log()
        .trim()
        .split("\n")
        .map((line) => JSON.parse(line));
      const printed = entries.find(({ text }) => text === "printed");
      assert.deepEqual(
        { plugin: printed.plugin, action: printed.action, level: printed.level, source: printed.source },
        { plugin, action: "report", level: "info", source: "stdout" },
      );
    });
  }
});

async function watchedLines(watch: ReturnType<ReturnType<typeof createClient<typeof PluginRunner>>["watchRun"]>) {
  const lines: string[] = [];
  for await (const { events } of watch) {
    for (const { payload } of events) if (payload.case === "log") lines.push(payload.value.message);
  }
  return lines;
}
