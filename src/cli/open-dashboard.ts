import { Dashboard } from "../engine/ray/dashboard.ts";
import type { Log } from "../util/log.ts";
import { readNamedFile } from "./named-file.ts";
import { UsageError } from "./usage-error.ts";

/** What `rayOptions` are read to. */
export interface RayConnection {
  readonly ray: string;
  readonly rayTokenFile: string | undefined;
  readonly rayCa: string | undefined;
  readonly rayPython: string | undefined;
}

/** Throws UsageError for an address that is none, and for files that cannot be read. */
export function openDashboard({ ray, rayTokenFile, rayCa }: Omit<RayConnection, "rayPython">, log: Log): Dashboard {
  if (!/^https?:$/.test(URL.parse(ray)?.protocol ?? "")) {
    throw new UsageError(`--ray takes the address of a dashboard as http://head:8265, not ${JSON.stringify(ray)}.`);
  }
  if (rayTokenFile !== undefined && readNamedFile("ray-token-file", rayTokenFile).trim() === "") {
    throw new UsageError(`--ray-token-file ${rayTokenFile} holds no token.`);
  }
  const ca = rayCa === undefined ? undefined : readNamedFile("ray-ca", rayCa);
  return new Dashboard({ address: ray, tokenFile: rayTokenFile, ca, log });
}
