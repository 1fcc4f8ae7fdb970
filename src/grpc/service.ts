import { create, type MessageShape } from "@bufbuild/protobuf";
import { timestampFromDate } from "@bufbuild/protobuf/wkt";
import type { Job } from "../../gen/ts/pluginrunner/v1/job_pb.ts";
import type { Plugin } from "../../gen/ts/pluginrunner/v1/plugin_pb.ts";
import {
  CancelJobResponseSchema,
  DeleteJobResponseSchema,
  GetJobResponseSchema,
  GetPluginResponseSchema,
  type GetServerInfoResponse,
  GetServerInfoResponseSchema,
  ListJobsResponseSchema,
  ListPluginsResponseSchema,
  type PluginRunner,
  type RunPluginRequest,
  type ServerLimits,
  type ServerWarning,
  ServerWarningSchema,
  ValidateParamsResponseSchema,
  WatchRunResponseSchema,
} from "../../gen/ts/pluginrunner/v1/plugin_runner_pb.ts";
import { PluginRunnerError, requestInvalid } from "../errors.ts";
import type { ValidParams } from "../plugin/plugin.ts";
import type { RunOnce } from "../runner/run-once.ts";
import type { Runner } from "../runner/runner.ts";
import { contentMark } from "../util/content-mark.ts";
import { packageVersion } from "../util/package-root.ts";
import type { CallContext, Send } from "./call.ts";
import { encodeResult } from "./encode-result.ts";
import { listPage, pageByKey, readPageToken, writePageToken } from "./page.ts";
import { withoutLargeResult } from "./status.ts";
import { fit, sendJob, sendJobs } from "./watch.ts";

const maxRequestIdLength = 128;

/** The methods of `PluginRunner` by name, each with what it is given and what it returns. */
type Methods = typeof PluginRunner.method;
type Request<Name extends keyof Methods> = MessageShape<Methods[Name]["input"]>;
type Response<Name extends keyof Methods> = MessageShape<Methods[Name]["output"]> | Uint8Array;

/** A unary handler returns a message, or its encoding; a streaming one sends them. */
export type Handlers = {
  [Name in keyof Methods]: Methods[Name]["methodKind"] extends "unary"
    ? (request: Request<Name>, context: CallContext) => Promise<Response<Name>>
    : (request: Request<Name>, context: CallContext, send: Send<Response<Name>>) => Promise<void>;
};

export interface ServiceOptions {
  runner: Runner;
  /** Remembers runs by their `request_id`. */
  once: RunOnce;
  limits: ServerLimits;
  startTime: GetServerInfoResponse["startTime"];
  /** Aborts when this server is going away: streams then tell their watchers to come back. */
  leaving: AbortSignal;
}

/** What `PluginRunner` does, for any protocol: request → runner → response. */
export function pluginRunnerHandlers(options: ServiceOptions): Handlers {
  return { ...runs(options), ...jobs(options), ...watches(options), ...plugins(options) };
}

function runs({ runner, once, limits, leaving }: ServiceOptions) {
  const run = async (request: RunPluginRequest, signal: AbortSignal, deadline: number | undefined) => {
    try {
      return encodeResult(await runner.runPlugin(request, signal, deadline), limits.maxResultBytes);
    } catch (error) {
      throw error instanceof PluginRunnerError ? withoutLargeResult(error) : error;
    }
  };
  return {
    runPlugin(request, { signal, deadline }) {
      const { requestId } = request;
      if (requestId === "") return run(request, signal, deadline);
      checkRequestId(requestId);
      return once.run(requestId, contentOf(request), (own) => run(request, own, deadline), signal);
    },
    async watchRun({ requestId }, { signal }, send) {
      if (requestId === "") throw requestInvalid("/request_id", "is required");
      checkRequestId(requestId);
      for await (const events of runner.watchRun(requestId, signal, leaving)) {
        await send(create(WatchRunResponseSchema, { events }));
      }
    },
    async validateParams(request, { signal, deadline }) {
      const verdict = await runner.validateParams(request, signal, deadline);
      if ("params" in verdict) return toVerdict(verdict);
      return create(ValidateParamsResponseSchema, { valid: false, violations: [...verdict.violations] });
    },
  } satisfies Partial<Handlers>;
}

function jobs({ runner, limits }: ServiceOptions) {
  const fitting = (job: Job) => fit(job, limits.maxResultBytes);
  return {
    async getJob({ jobId }) {
      return create(GetJobResponseSchema, { job: fitting(await runner.getJob(required(jobId))) });
    },
    async cancelJob({ jobId }) {
      return create(CancelJobResponseSchema, { job: fitting(await runner.cancelJob(required(jobId))) });
    },
    async deleteJob({ jobId }) {
      await runner.deleteJob(required(jobId));
      return create(DeleteJobResponseSchema);
    },
    async listJobs({ pageSize, pageToken, filter }) {
      const cursor = readPageToken(pageToken, filter);
      const page = await runner.listJobs(filter, listPage(pageSize, 50, 500), cursor);
      return create(ListJobsResponseSchema, {
        jobs: page.jobs,
        nextPageToken: page.cursor === undefined ? "" : writePageToken(page.cursor, filter),
      });
    },
  } satisfies Partial<Handlers>;
}

function watches({ runner, limits, leaving }: ServiceOptions) {
  const context = (signal: AbortSignal) => ({ runner, maxBytes: limits.maxResultBytes, signal, leaving });
  return {
    async submitJob(request, { signal }, send) {
      const jobId = await runner.submitJob(request, signal);
      await sendJob(jobId, 0n, context(signal), send);
    },
    async watchJob({ jobId, afterSequence }, { signal }, send) {
      if (afterSequence < 0n) throw requestInvalid("/after_sequence", "has to be 0 or more");
      await sendJob(required(jobId), afterSequence, context(signal), send);
    },
    async watchJobs(request, { signal }, send) {
      await sendJobs(request, context(signal), send);
    },
  } satisfies Partial<Handlers>;
}

function plugins({ runner, limits, startTime }: ServiceOptions) {
  return {
    async listPlugins({ pageSize, pageToken }, { signal }) {
      const all = await runner.listPlugins(signal);
      const { page, nextPageToken } = pageByKey(all, keyOfPlugin, pageToken, listPage(pageSize, 100, 1000));
      return create(ListPluginsResponseSchema, { plugins: page, nextPageToken });
    },
    async getPlugin({ plugin }, { signal }) {
      return create(GetPluginResponseSchema, { plugin: await runner.getPlugin(plugin, signal) });
    },
    async getServerInfo() {
      return create(GetServerInfoResponseSchema, {
        version: packageVersion,
        engine: runner.engineName,
        modes: runner.modes,
        limits,
        ...(startTime && { startTime }),
        warnings: warningsOf(runner),
      });
    },
  } satisfies Partial<Handlers>;
}

function warningsOf({ troubles }: Runner): ServerWarning[] {
  return troubles.map(({ reason, message, metadata, since }) =>
    create(ServerWarningSchema, { reason, message, metadata: { ...metadata }, since: timestampFromDate(since) }),
  );
}

function toVerdict({ params, warnings }: ValidParams) {
  const { value, nonFinite } = params;
  const shown = { params: value, nonFinite: [...nonFinite], warnings: [...warnings] };
  return create(ValidateParamsResponseSchema, { valid: true, ...shown });
}

/** Plugins are listed in this order. NUL stands in no code, and is before every other character. */
function keyOfPlugin({ code, path }: Plugin): string {
  return `${code}\0${path}`;
}

function checkRequestId(requestId: string): void {
  if (requestId.length <= maxRequestIdLength) return;
  throw requestInvalid("/request_id", `has more than ${maxRequestIdLength} characters`);
}

/** A retry has the same content, its maps in whatever order; only the time that is left for it is another one. */
function contentOf(request: RunPluginRequest): string {
  const { plugin, action, params, nonFinite, mode, entrypoint, env, jobId, resources } = request;
  return contentMark([plugin, action, params, nonFinite, mode, entrypoint, env, jobId, resources]);
}

function required(jobId: string): string {
  if (jobId === "") throw requestInvalid("/job_id", "is required");
  return jobId;
}
