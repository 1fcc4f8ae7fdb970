import { writeFileSync } from "node:fs";

/** Makes this process the first choice of the kernel's out-of-memory killer, where there is one and it may. */
export function volunteerForOutOfMemory(): void {
  try {
    writeFileSync("/proc/self/oom_score_adj", "1000");
  } catch {
    // Not Linux, or a container that forbids it: the kernel then chooses by size.
  }
}
