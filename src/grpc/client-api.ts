/** What the clients in Node and in browsers share: the service's messages, the client and its errors. */

export type { JsonObject, JsonValue } from "@bufbuild/protobuf";
export * from "../../gen/ts/pluginrunner/v1/job_event_pb.ts";
export * from "../../gen/ts/pluginrunner/v1/job_pb.ts";
export {
  type Action as PluginAction,
  Language,
  type Plugin,
  type PluginIssue,
  type Resources,
} from "../../gen/ts/pluginrunner/v1/plugin_pb.ts";
export type { GetServerInfoResponse, ValidateParamsResponse } from "../../gen/ts/pluginrunner/v1/plugin_runner_pb.ts";
export { type Reason, reasons, type Violation } from "../errors.ts";
export { stateName as jobStateName } from "../job/job-state.ts";
export * from "./client.ts";
export {
  ActionNotFoundError,
  ExecutionError,
  RunnerError,
  type RunnerReason,
  ValidationError,
} from "./client-errors.ts";
export { JobHandle, type WatchOptions } from "./client-job.ts";
export { eventToJson, jobToJson, partialResultOf, resultOf, verdictToJson } from "./client-numbers.ts";
export type { WatchState } from "./client-resume.ts";
export type { JobsUpdate, JobUpdate } from "./client-watch.ts";
