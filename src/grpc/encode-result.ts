import { create, fromJson, toBinary } from "@bufbuild/protobuf";
import { ValueSchema } from "@bufbuild/protobuf/wkt";
import { RunPluginResponseSchema } from "../../gen/ts/pluginrunner/v1/plugin_runner_pb.ts";
import { PluginRunnerError } from "../errors.ts";
import type { WorkerResult } from "../worker/messages.ts";
import { unsendable } from "../worker/result.ts";

/**
 * Encodes the response of `RunPlugin`. Throws RESULT_INVALID for a result that the client could not take: there it would
 * fail without a word of why.
 */
export function encodeResult(answer: WorkerResult, maxBytes: number): Uint8Array {
  const fault = unsendable(answer);
  if (fault) throw fault;
  const { value, non_finite: nonFinite = [], warnings = [] } = answer;
  const result = fromJson(ValueSchema, value);
  const response = create(RunPluginResponseSchema, { result, nonFinite: [...nonFinite], warnings });
  const bytes = toBinary(RunPluginResponseSchema, response);
  if (bytes.length <= maxBytes) return bytes;
  throw new PluginRunnerError(
    "RESULT_INVALID",
    `The result takes ${bytes.length} bytes, and at most ${maxBytes} are allowed: run it as a job, and make it an artifact (ctx.artifact).`,
    { metadata: { field: "", size_bytes: String(bytes.length), max_result_bytes: String(maxBytes) } },
  );
}
