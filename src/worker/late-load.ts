import type { JsonObject } from "@bufbuild/protobuf";
import { type PluginRunnerError, readErrorRecord } from "../errors.ts";
import { isJsonObject } from "../util/json.ts";
import { jsonText } from "../util/json-text.ts";
import type { WithinMessage, WorkerRequest } from "./messages.ts";

/** What a worker was at when it was killed for want of a word in time. */
export interface LateLoad {
  readonly request: WorkerRequest;
  /** The entry point that it was loading; empty where it was at something else. */
  readonly loads: string;
  readonly error: PluginRunnerError;
}

/** Reads `within` as a worker wrote it. */
export function readWithin({ seconds, loads, error }: JsonObject): WithinMessage {
  if (typeof seconds !== "number" || !isJsonObject(error)) return { type: "within" };
  return { type: "within", seconds, error: readErrorRecord(error), ...(typeof loads === "string" && { loads }) };
}

/** Whether a request that waits needs what could not be loaded: it would only wait as long once more. */
export function needsLate({ request: late, loads }: LateLoad, request: WorkerRequest): boolean {
  if (!("entrypoint" in request && "entrypoint" in late)) return false;
  return request.entrypoint === loads && jsonText(request.env) === jsonText(late.env);
}
