import { ServerInterceptingCall, type ServerInterceptor } from "@grpc/grpc-js";
import { toCallStatus } from "./call-status.ts";
import type { OpenCall, OpenCalls } from "./open-calls.ts";
import { withReason } from "./request-size.ts";

/**
 * Stands round every call of the server, also those of health and reflection: keeps it among the open ones until its status
 * is sent, and gives it the error of this service where its request is too large. grpc-js refuses such a request itself, below
 * every interceptor: so the method that it does this by is replaced on the call itself.
 */
export function callInterceptor(open: OpenCalls, maxRequestBytes: number): ServerInterceptor {
  return ({ path }, call) => {
    const sendStatus = call.sendStatus.bind(call);
    const own: OpenCall = { path, end: (error) => call.sendStatus(toCallStatus(error)) };
    call.sendStatus = (found) => {
      open.delete(own);
      sendStatus(withReason(found, maxRequestBytes));
    };
    return new ServerInterceptingCall(call, {
      start: (next) =>
        next({
          onReceiveMetadata(metadata, pass) {
            open.add(own);
            pass(metadata);
          },
          onReceiveMessage: (message, pass) => pass(message),
          onReceiveHalfClose: (pass) => pass(),
          onCancel: () => open.delete(own),
        }),
    });
  };
}
