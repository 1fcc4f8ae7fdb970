import assert from "node:assert/strict";
import { execFileSync, spawnSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { project } from "../support/server.ts";

const tsc = join(project, "node_modules/typescript/bin/tsc");

const app = `
import { connect, type Client, type Job, JobState, jobStateName, resultOf, RunnerError, type WatchState } from "./types/src/browser.js";
interface Params { rate: number; note?: string }
const params: Params = { rate: 0.5 };
const client: Client = connect({ baseUrl: "http://127.0.0.1:8080" });
export async function show(job: Job): Promise<string> {
  const states: WatchState[] = [];
  for await (const { snapshot, removedJobId } of client.watchJobs({}, { onState: (state) => states.push(state) })) {
    if (snapshot?.state === JobState.RUNNING || removedJobId) break;
  }
  await client.runPlugin("p", "a", params).catch((error: unknown) => error instanceof RunnerError && error.reason);
  return jobStateName(job.state) + String(resultOf(job));
}
`;

test("the browser client's types compile in a project with the usual library, checked themselves", (t) => {
  const dir = mkdtempSync(join(project, "test/http/.types-"));
  t.after(() => rmSync(dir, { recursive: true, force: true }));
  const types = join(dir, "types");
  const emit = ["-p", join(project, "tsconfig.build.json"), "--emitDeclarationOnly", "--outDir", types];
  execFileSync(process.execPath, [tsc, ...emit], { stdio: "pipe" });
  writeFileSync(join(dir, "app.ts"), app);
  const compilerOptions = {
    target: "es2022",
    lib: ["es2022", "dom"],
    module: "esnext",
    moduleResolution: "bundler",
    types: [],
    strict: true,
    skipLibCheck: false,
    noEmit: true,
  };
  writeFileSync(join(dir, "tsconfig.json"), JSON.stringify({ compilerOptions, files: ["app.ts"] }));
  const { status, stdout } = spawnSync(process.execPath, [tsc, "-p", dir], { encoding: "utf8" });
  // What the dependencies of this package leave out is not its own.
  const own = stdout.split("\n").filter((line) => line.includes("error") && !line.includes("node_modules"));
  assert.deepEqual(own, []);
  assert.equal(status, 0, stdout);
});
