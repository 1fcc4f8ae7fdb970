import { readdirSync } from "node:fs";
import { availableParallelism, totalmem } from "node:os";
import type { Resources } from "../../../gen/ts/pluginrunner/v1/plugin_pb.ts";
import { requestInvalid } from "../../errors.ts";

/** Throws REQUEST_INVALID for what this machine does not have. */
export function checkResources({ cpus, gpus, memoryMib, custom }: Resources): void {
  atMost("cpus", cpus, availableParallelism());
  atMost("gpus", gpus, gpus ? deviceCount() : 0);
  atMost("memory_mib", memoryMib, Math.floor(totalmem() / 1024 ** 2));
  for (const [name, asked] of Object.entries(custom)) atMost(name, asked, 0);
}

function deviceCount(): number {
  return readdirSync("/dev").filter((name) => /^nvidia\d+$/.test(name)).length;
}

function atMost(resource: string, asked: number | undefined, available: number): void {
  if (asked === undefined || asked <= available) return;
  throw requestInvalid("/resources", `the action asks for ${asked} ${resource}, and this machine has ${available}`, {
    resource,
    asked: String(asked),
    available: String(available),
  });
}
