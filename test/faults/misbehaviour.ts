import assert from "node:assert/strict";
import { join } from "node:path";
import { ExecutionError } from "../../src/client.ts";
import { eventually } from "../lifecycle/scratch.ts";
import { startServer, type TestServer } from "../support/server.ts";
import { faultRoots } from "./load.ts";
import { descriptorsOf, namesIn, processesOf, residentOf } from "./processes.ts";

const actions = [
  "throws",
  "exits",
  "dies",
  "rejectsLate",
  "throwsLate",
  "leavesProcess",
  "hidesProcess",
  "prints",
  "cyclic",
  "never",
  "writes",
] as const;

/** What each may say for itself; the others return. */
const failures: Partial<Record<(typeof actions)[number], string>> = {
  throws: "ACTION_FAILED",
  exits: "ACTION_FAILED",
  dies: "WORKER_LOST",
  cyclic: "RESULT_INVALID",
  never: "DEADLINE",
};

const plugins = ["misbehave_js", "misbehave_py"] as const;
const callers = 4;
/** How `never` ends. */
const timeoutMs = 500;
/** What allocators and compiled code may keep, in bytes. */
const residentRoom = 96 * 1024 * 1024;

export interface MisbehaviourReport {
  calls: number;
  before: Footprint;
  after: Footprint;
}

interface Footprint {
  descriptors: number;
  residentMiB: number;
  processes: number;
  /** What stands in the directories of runs and jobs. */
  left: number;
}

/**
 * Calls actions that misbehave in turn, in both languages, each followed by one that does not, which has to be answered
 * rightly. Throws where one says another thing than it has to, or where the service has more descriptors, memory, processes
 * or files afterwards than before.
 */
export async function misbehave({ calls }: { calls: number }): Promise<MisbehaviourReport> {
  const args = ["--max-workers", "4", "--grace", "100ms", "--worker-idle", "300ms", "--local", "worker"];
  await using server = await startServer({ roots: faultRoots, args });
  await round(server, actions.length * 2 * plugins.length);
  const before = await settled(server);
  await round(server, calls);
  // The directory of a worker goes a moment after the worker.
  await eventually(() => leftIn(server) <= before.left);
  const after = await settled(server);
  const report = { calls, before, after };
  assert.ok(after.descriptors <= before.descriptors + 4, `descriptors: ${JSON.stringify(report)}`);
  assert.ok((after.residentMiB - before.residentMiB) * 2 ** 20 <= residentRoom, `memory: ${JSON.stringify(report)}`);
  assert.equal(await server.end("SIGTERM"), 0);
  assert.deepEqual(processesOf(server.dataDir), [], "no process is left");
  return report;
}

async function round(server: TestServer, calls: number): Promise<void> {
  let next = 0;
  const call = async () => {
    while (next < calls) {
      const number = next++;
      const plugin = plugins[number % 2] ?? plugins[0];
      const action = actions[Math.floor(number / 2) % actions.length] ?? actions[0];
      const mode = Math.floor(number / (2 * actions.length)) % 2 === 0 ? "task" : "local";
      await callOne(server, plugin, action, mode);
      assert.equal(await server.client.runPlugin(plugin, "behaves", {}, { mode }), "returned", `after ${action}`);
    }
  };
  await Promise.all(Array.from({ length: callers }, call));
}

async function callOne(server: TestServer, plugin: string, action: (typeof actions)[number], mode: "local" | "task") {
  const expected = failures[action];
  try {
    await server.client.runPlugin(plugin, action, {}, { mode, ...(action === "never" && { timeoutMs }) });
    assert.equal(expected, undefined, `${plugin} ${action} (${mode}) returned`);
  } catch (error) {
    if (!(error instanceof ExecutionError)) throw error;
    assert.equal(error.reason, expected, `${plugin} ${action} (${mode}): ${error.message}`);
  }
}

/** What the service has once its idle workers are gone. */
async function settled(server: TestServer): Promise<Footprint> {
  await eventually(() => processesOf(server.dataDir).length <= 3);
  return {
    descriptors: descriptorsOf(server.pid),
    residentMiB: Math.round(residentOf(server.pid) / 2 ** 20),
    processes: processesOf(server.dataDir).length,
    left: leftIn(server),
  };
}

function leftIn({ dataDir }: TestServer): number {
  return ["work", "artifacts", "jobs"].flatMap((name) => namesIn(join(dataDir, name))).length;
}
