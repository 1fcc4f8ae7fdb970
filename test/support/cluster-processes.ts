import { readdirSync, readFileSync } from "node:fs";
import type { TestRay } from "./ray.ts";

/** The processes of a cluster whose command line names something. */
export function clusterProcesses({ env }: TestRay, name: string): number[] {
  const marks = Object.entries(env).filter(([key]) => key.startsWith("RAY_TEST_CLUSTER"));
  const mark = marks.map(([key, value]) => `${key}=${value}`).join();
  return readdirSync("/proc")
    .filter((pid) => /^\d+$/.test(pid) && has(pid, "cmdline", (text) => text.includes(name)))
    .filter((pid) => has(pid, "environ", (text) => text.split("\0").includes(mark)))
    .map(Number);
}

function has(pid: string, file: string, test: (text: string) => boolean): boolean {
  try {
    return test(readFileSync(`/proc/${pid}/${file}`, "utf8"));
  } catch {
    return false; // it is gone
  }
}
