import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { test } from "node:test";
import { project } from "../support/server.ts";

test("the Python part is formatted, free of faults of lint and types, and does what its tests say", async () => {
  const child = spawn(process.execPath, [join(project, "scripts/python.ts"), "check"], {
    stdio: ["ignore", "pipe", "pipe"],
  });
  const [[code], ...printed] = await Promise.all([once(child, "close"), text(child.stdout), text(child.stderr)]);
  assert.equal(code, 0, printed.join("\n"));
});
