import { once } from "node:events";
import { mkdtempSync, readFileSync, rmSync, watch } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import type { TestContext } from "node:test";
import { setTimeout as delay } from "node:timers/promises";
import { patienceMs } from "../support/limits.ts";
import { project } from "../support/server.ts";

/** The plugins of these tests. */
export const roots = [join(project, "test/fixtures/lifecycle")];

/** A folder for one test, with the files that the fixture's actions are told of. */
export function scratch(t: TestContext) {
  const dir = mkdtempSync(join(tmpdir(), "lifecycle-"));
  t.after(() => rmSync(dir, { recursive: true, force: true }));
  const starts = join(dir, "starts");
  const release = join(dir, "release");
  const stopped = join(dir, "stopped");
  const counted = () => {
    const ids = linesIn(starts);
    return { jobs: new Set(ids).size, starts: ids.length };
  };
  return { dir, starts, release, stopped, params: { starts, release }, counted };
}

/** Resolves once so many actions have started. */
export function begun({ starts }: { starts: string }, count = 1): Promise<void> {
  return lines(starts, count);
}

/** Resolves once a file has so many lines. Rejects when the signal aborts. */
export async function lines(file: string, count: number, signal?: AbortSignal): Promise<void> {
  const watcher = watch(dirname(file));
  try {
    while (linesIn(file).length < count) await once(watcher, "change", { signal });
  } finally {
    watcher.close();
  }
}

function linesIn(file: string): string[] {
  try {
    return readFileSync(file, "utf8").split("\n").slice(0, -1);
  } catch {
    return [];
  }
}

/** Asks again and again until the answer is yes: for what says nothing when it changes. */
export async function eventually(holds: () => boolean | Promise<boolean>): Promise<void> {
  const end = performance.now() + patienceMs;
  while (!(await holds())) {
    if (performance.now() > end) throw new Error(`It did not become so within ${patienceMs / 1000} s.`);
    await delay(10);
  }
}
