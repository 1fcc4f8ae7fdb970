import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { existsSync } from "node:fs";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { test } from "node:test";
import { project, startServer } from "../support/server.ts";
import { begun, scratch } from "./scratch.ts";

const python = join(project, ".venv/bin/python");
const skip = existsSync(python) ? false : "there is no .venv with the Python client's packages";

const program = `
import sys
from plugin_runner.client import Client, ExecutionError
with Client(sys.argv[1]) as client:
    try:
        print(client.run_plugin("leaving", "stay", mode=sys.argv[2]))
    except ExecutionError as error:
        print(error.reason, error.metadata["started"])
`;

for (const mode of ["local", "task"]) {
  test(`the Python client does not run a ${mode} run again that its server ended, though the next one is there`, {
    skip,
  }, async (t) => {
    const files = scratch(t);
    const args = ["--drain", "50ms", "--grace", "50ms", "--pass-env", "STARTS"];
    const env = { STARTS: files.starts };
    await using server = await startServer({ roots: [join(project, "test/fixtures/clients")], args, env });
    const client = spawn(python, ["-c", program, server.address, mode], {
      cwd: join(project, "python"),
      stdio: ["ignore", "pipe", "inherit"],
    });
    t.after(() => client.kill());
    const said = text(client.stdout);
    await begun(files);
    assert.equal(await server.end("SIGTERM"), 0);
    await server.start();
    assert.equal((await said).trim(), "WORKER_LOST true");
    assert.equal(files.counted().starts, 1);
  });
}
