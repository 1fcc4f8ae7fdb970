import { ServerInterceptingCall, type ServerInterceptor, status } from "@grpc/grpc-js";
import { PluginRunnerError } from "../errors.ts";
import { toCallStatus } from "./call-status.ts";

/** What grpc-js says of a message that is too large: the words of its `stream-decoder.ts` and `server-interceptors.ts`. */
const tooLarge = /^Received message (larger than max \((\d+) vs|that decompresses to a size larger than)/;

/**
 * Gives the error of this service to callers whose request is above the limit. grpc-js refuses such a request itself, below
 * every interceptor, with RESOURCE_EXHAUSTED and without details, which clients take for a server that is busy: so the
 * method that it does this by is replaced on the call itself.
 */
export function requestSizeInterceptor(maxRequestBytes: number): ServerInterceptor {
  return (_method, call) => {
    const sendStatus = call.sendStatus.bind(call);
    call.sendStatus = (found) => {
      const [refused, , size] = (found.code === status.RESOURCE_EXHAUSTED && tooLarge.exec(found.details ?? "")) || [];
      sendStatus(refused === undefined ? found : toCallStatus(requestTooLarge(maxRequestBytes, size)));
    };
    return new ServerInterceptingCall(call);
  };
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
