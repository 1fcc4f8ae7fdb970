import type { UntypedHandleCall, UntypedServiceImplementation } from "@grpc/grpc-js";
import type { Calls } from "./call.ts";
import type { Handlers } from "./service.ts";

/** The handlers of `PluginRunner` as grpc-js takes them. */
export function grpcImplementation(handlers: Handlers, { unary, stream }: Calls): UntypedServiceImplementation {
  return {
    runPlugin: unary(handlers.runPlugin),
    watchRun: stream(handlers.watchRun),
    validateParams: unary(handlers.validateParams),
    submitJob: stream(handlers.submitJob),
    watchJob: stream(handlers.watchJob),
    watchJobs: stream(handlers.watchJobs),
    getJob: unary(handlers.getJob),
    listJobs: unary(handlers.listJobs),
    cancelJob: unary(handlers.cancelJob),
    deleteJob: unary(handlers.deleteJob),
    listPlugins: unary(handlers.listPlugins),
    getPlugin: unary(handlers.getPlugin),
    getServerInfo: unary(handlers.getServerInfo),
  } satisfies Record<keyof Handlers, UntypedHandleCall>;
}
