/** The package's entry: the client of the service, its messages, and what plugins in TypeScript are written with. */

export * from "../gen/ts/pluginrunner/v1/job_event_pb.ts";
export * from "../gen/ts/pluginrunner/v1/job_pb.ts";
export {
  type Action as PluginAction,
  Language,
  type Plugin,
  type PluginIssue,
  type Resources,
} from "../gen/ts/pluginrunner/v1/plugin_pb.ts";
export type { GetServerInfoResponse, ValidateParamsResponse } from "../gen/ts/pluginrunner/v1/plugin_runner_pb.ts";
export * from "./grpc/client.ts";
export type { TlsOptions } from "./grpc/client-channel.ts";
export {
  ActionNotFoundError,
  ExecutionError,
  RunnerError,
  type RunnerReason,
  ValidationError,
} from "./grpc/client-errors.ts";
export { JobHandle, type WatchOptions } from "./grpc/client-job.ts";
export type { JobsUpdate, JobUpdate } from "./grpc/client-watch.ts";
export * from "./runtime/index.ts";
