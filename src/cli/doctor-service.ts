import { timestampDate } from "@bufbuild/protobuf/wkt";
import type { ServerWarning } from "../../gen/ts/pluginrunner/v1/plugin_runner_pb.ts";
import { RunnerError } from "../grpc/client-errors.ts";
import { type ClientOptions, openClient } from "./client-options.ts";
import type { Finding } from "./doctor-checks.ts";
import type { Io } from "./verb.ts";

/** Asks a service what it is, and what is wrong with it. Throws UsageError for options that cannot be used. */
export async function examineService(options: ClientOptions, io: Io): Promise<Finding[]> {
  const client = openClient(options, io);
  try {
    const { version, engine, modes, warnings } = await client.serverInfo(io.signal);
    const detail = `${version} at ${options.address} (${engine} engine; ${modes.join(", ")})`;
    return [{ subject: "service", state: "good", detail }, ...warnings.map(describe)];
  } catch (error) {
    if (!(error instanceof RunnerError)) throw error;
    return [{ subject: "service", state: "bad", detail: error.message, reason: error.reason }];
  } finally {
    client.close();
  }
}

function describe({ reason, message, since }: ServerWarning): Finding {
  const detail = since ? `${message} Since ${timestampDate(since).toISOString()}.` : message;
  return { subject: subjects[reason] ?? "service", state: "bad", detail, reason };
}

const subjects: Readonly<Record<string, string>> = {
  STORAGE_UNAVAILABLE: "storage",
  ENGINE_UNAVAILABLE: "Ray",
};
