import assert from "node:assert/strict";
import { PassThrough } from "node:stream";
import { text } from "node:stream/consumers";
import { test } from "node:test";
import { reportError } from "../../src/cli/report-error.ts";
import { ExecutionError } from "../../src/client.ts";

test("a fault of a file is told once: its violation repeats the message for programs", async () => {
  const stderr = new PassThrough();
  const message = "config.yaml:4:9: The action work of c cannot be run.";
  const violations = [
    { field: "config.yaml", description: `line 4, column 9: ${message}`, rule: "load" },
    { field: "/actions/other", description: "is another fault", rule: "type" },
  ];
  const error = new ExecutionError({ reason: "PLUGIN_INVALID", code: 9, message, violations });
  const signals = { signal: AbortSignal.abort(), urgent: AbortSignal.abort() };
  reportError(error, { stderr, stdin: stderr, stdout: stderr, env: {}, ...signals });
  stderr.end();
  assert.equal(await text(stderr), `error: ${message} [PLUGIN_INVALID]\n  /actions/other: is another fault\n`);
});
