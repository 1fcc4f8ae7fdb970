import type { ConnectRouter, ServiceImpl } from "@connectrpc/connect";
import { PluginRunner } from "../../gen/ts/pluginrunner/v1/plugin_runner_pb.ts";
import type { Handlers } from "../grpc/service.ts";
import type { ConnectCalls } from "./connect-calls.ts";

/** `PluginRunner` as Connect serves it. */
export function connectRoutes(handlers: Handlers, { unary, stream }: ConnectCalls): (router: ConnectRouter) => void {
  const { method } = PluginRunner;
  const implementation: ServiceImpl<typeof PluginRunner> = {
    runPlugin: unary(method.runPlugin.output, handlers.runPlugin),
    watchRun: stream(method.watchRun.output, handlers.watchRun),
    validateParams: unary(method.validateParams.output, handlers.validateParams),
    submitJob: stream(method.submitJob.output, handlers.submitJob),
    watchJob: stream(method.watchJob.output, handlers.watchJob),
    watchJobs: stream(method.watchJobs.output, handlers.watchJobs),
    getJob: unary(method.getJob.output, handlers.getJob),
    listJobs: unary(method.listJobs.output, handlers.listJobs),
    cancelJob: unary(method.cancelJob.output, handlers.cancelJob),
    deleteJob: unary(method.deleteJob.output, handlers.deleteJob),
    listPlugins: unary(method.listPlugins.output, handlers.listPlugins),
    getPlugin: unary(method.getPlugin.output, handlers.getPlugin),
    getServerInfo: unary(method.getServerInfo.output, handlers.getServerInfo),
  };
  return (router) => router.service(PluginRunner, implementation);
}
