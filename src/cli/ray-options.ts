import type { Option } from "./option.ts";

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
