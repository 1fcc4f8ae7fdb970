import type { TestContext } from "node:test";
import { fileURLToPath } from "node:url";
import type { JsonValue } from "@bufbuild/protobuf";
import { silentLog } from "../../src/util/log.ts";
import type { Binding, RunRequest, WorkerResult } from "../../src/worker/messages.ts";
import { WorkerProcess } from "../../src/worker/worker-process.ts";

const program = fileURLToPath(new URL("./stub-worker.ts", import.meta.url));

/** A process of `stub-worker.ts`, which ends with the test. */
export function startStub(
  t: TestContext,
  { graceMs = 5000, args = [program] }: { graceMs?: number; args?: string[] } = {},
) {
  const command = { language: "javascript", file: process.execPath, args, env: {} } as const;
  const worker = new WorkerProcess(command, { cwd: "/", graceMs, log: silentLog });
  t.after(() => worker.kill());
  return worker;
}

/** A request that makes the stub do what `action` says. */
export function run(action: string, params: Record<string, JsonValue> = {}): RunRequest {
  return { type: "run", action, entrypoint: "", params, env: {}, job_id: "" };
}

export function bindingOf(code: string): Binding {
  return { language: "javascript", code, root: "/", module: "", digest: "", env: {}, packages: "" };
}

export const forever = new AbortController().signal;

/** What a worker answered, without what it says beside it. */
export async function answerOf(result: Promise<WorkerResult>): Promise<JsonValue> {
  return (await result).value;
}
