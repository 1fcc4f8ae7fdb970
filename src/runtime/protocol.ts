import { PluginRunnerError } from "../errors.ts";

/** The same as in worker/messages.ts, of which a worker loads nothing. */
export const protocolVersion = 1;

/** PLUGIN_INVALID where a job's description is of another version than this library, which is to carry it. */
export function jobRefusal(described: number): PluginRunnerError | undefined {
  if (described === protocolVersion) return undefined;
  const runtime = `node ${process.version.slice(1)}`;
  return otherProtocol("job's process", { theirs: protocolVersion, ours: described, runtime });
}

/** What is said of a process that speaks another version of the protocol than the service. */
export function otherProtocol(
  who: string,
  { theirs, ours, runtime }: { theirs: unknown; ours: unknown; runtime: unknown },
): PluginRunnerError {
  const message =
    `The ${who} (${runtime}) speaks version ${theirs} of the protocol, and the service ${ours}: another version of ` +
    "plugin-runner is installed where the plugin's code runs. Remove it there, or install the service's version.";
  const metadata = {
    worker_protocol: String(theirs),
    service_protocol: String(ours),
    runtime: String(runtime),
  };
  return new PluginRunnerError("PLUGIN_INVALID", message, { metadata });
}
