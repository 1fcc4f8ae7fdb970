import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { startServer } from "../support/server.ts";
import { eventually, roots } from "./scratch.ts";

/** What makes a program the first process of a container's processes. */
const container = ["unshare", "--pid", "--fork", "--kill-child", "--mount-proc"] as const;

test("as the first process of a container the service waits for orphans, and leaves by a signal with its code", {
  skip: withoutContainers(),
}, async () => {
  await using server = await startServer({ roots, under: container });
  const [first = 0] = childrenOf(server.pid);
  const before = childrenOf(first);
  assert.equal(before.length, 1, "the service is the only child of the first process");
  for (const mode of ["local", "task"] as const) await server.client.runPlugin("orphan", "leave", {}, { mode });
  await eventually(() => childrenOf(first).length === 1);
  assert.deepEqual(childrenOf(first), before);
  assert.doesNotMatch(server.log(), /init/);
  const left = server.ended();
  process.kill(first, "SIGTERM");
  assert.equal(await left, 0);
  assert.match(server.log(), /leaving/);
});

/** Also those that have ended and that nobody has waited for. */
function childrenOf(pid: number): number[] {
  return readFileSync(`/proc/${pid}/task/${pid}/children`, "utf8").split(" ").filter(Boolean).map(Number);
}

function withoutContainers(): string | false {
  try {
    execFileSync(container[0], [...container.slice(1), "true"], { stdio: "pipe" });
    return false;
  } catch {
    return "a container's processes need root and unshare";
  }
}
