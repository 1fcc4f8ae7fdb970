import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, suite, test } from "node:test";
import { patienceMs } from "../support/limits.ts";
import { project } from "../support/server.ts";

suite("the quickstart", { timeout: 2 * patienceMs }, () => {
  const data = mkdtempSync(join(tmpdir(), "plugin-runner-quickstart-"));
  after(() => rmSync(data, { recursive: true }));

  test("shows both plugins in every mode, and ends well", async () => {
    const { code, stdout, stderr } = await quickstart({ PLUGIN_RUNNER_DATA_DIR: data });
    assert.equal(code, 0, stdout + stderr);
    for (const shown of ["flipper_length_mm", "100 %  accuracy 9", "model.joblib", "probability", "athletics,2363,"]) {
      assert.ok(stdout.includes(shown), `${shown} is missing from ${stdout}`);
    }
    assert.match(stdout, /^LOCAL: .*^JOB: .*^TASK: .*^JOB: .*^All of it worked/ms);
  });

  test("says what failed, and ends with 1", async () => {
    const { code, stderr } = await quickstart({
      PLUGIN_RUNNER_DATA_DIR: data,
      PLUGIN_RUNNER_PYTHON: "/no/such/python",
    });
    assert.equal(code, 1);
    assert.match(stderr, /\/no\/such\/python.*That failed: /s);
  });
});

function quickstart(variables: Record<string, string>): Promise<{ code: number; stdout: string; stderr: string }> {
  const env = { ...process.env, ...variables };
  return new Promise((resolve) => {
    execFile(process.execPath, [join(project, "examples/quickstart.ts")], { env }, (error, stdout, stderr) => {
      resolve({ code: typeof error?.code === "number" ? error.code : error ? -1 : 0, stdout, stderr });
    });
  });
}
