import { Dashboard } from "../engine/ray/dashboard.ts";
import type { Log } from "../util/log.ts";
import { readNamedFile } from "./named-file.ts";
import type { Option } from "./option.ts";
import { UsageError } from "./usage-error.ts";

/** How a Ray cluster is reached: the same for whoever uses one. */
export const rayOptions = [
  {
    name: "ray",
    type: "string",
    env: "PLUGIN_RUNNER_RAY",
    value: "URL",
    description:
      "The dashboard of a Ray cluster, http://head:8265, that runs tasks and jobs. Default: this machine does.",
  },
  {
    name: "ray-token-file",
    type: "string",
    env: "PLUGIN_RUNNER_RAY_TOKEN_FILE",
    value: "FILE",
    description:
      "Ray's token, read anew for each call. Default: RAY_AUTH_TOKEN, the file of RAY_AUTH_TOKEN_PATH, ~/.ray/auth_token.",
  },
  {
    name: "ray-ca",
    type: "string",
    env: "PLUGIN_RUNNER_RAY_CA",
    value: "FILE",
    description: "Certificate authorities of an https dashboard, PEM. Default: those of the system.",
  },
  {
    name: "ray-python",
    type: "string",
    env: "PLUGIN_RUNNER_RAY_PYTHON",
    value: "COMMAND",
    description: "The Python that starts the gateway and jobs on Ray's nodes. Default: the one that Ray runs on.",
  },
  {
    name: "ray-gateway-port",
    type: "integer",
    env: "PLUGIN_RUNNER_RAY_GATEWAY_PORT",
    min: 0,
    max: 65_535,
    default: 0,
    description: "The port at which Ray's head node takes this service's tasks; 0 takes a free one.",
  },
] as const satisfies readonly Option[];

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
