import { status } from "@grpc/grpc-js";
import { PluginRunnerError } from "../errors.ts";
import { type CallStatus, toCallStatus } from "./call-status.ts";

/** What grpc-js says of a message that is too large: the words of its `stream-decoder.ts` and `server-interceptors.ts`. */
const tooLarge = /^Received message (larger than max \((\d+) vs|that decompresses to a size larger than)/;

/**
 * The status to send for one that grpc-js made, or the service. Of a request above the limit grpc-js says RESOURCE_EXHAUSTED
 * without details, which clients take for a server that is busy.
 */
export function withReason<Status extends { code?: status | null; details?: string | null }>(
  found: Status,
  maxRequestBytes: number,
): Status | CallStatus {
  const [refused, , size] = (found.code === status.RESOURCE_EXHAUSTED && tooLarge.exec(found.details ?? "")) || [];
  return refused === undefined ? found : toCallStatus(requestTooLarge(maxRequestBytes, size));
}

/** REQUEST_INVALID that names the option; `size` is in bytes, undefined where it is not known. */
export function requestTooLarge(maxRequestBytes: number, size?: string): PluginRunnerError {
  const description = `has ${size === undefined ? "too many" : size} bytes; ${maxRequestBytes} is the limit (--max-request-size of the server)`;
  return new PluginRunnerError("REQUEST_INVALID", `The request ${description}. Send large data as a file's path.`, {
    violations: [{ field: "", description, rule: "max_request_size" }],
    metadata: {
      max_request_bytes: String(maxRequestBytes),
      ...(size !== undefined && { size_bytes: size }),
    },
  });
}
