import { create, fromJson, toBinary } from "@bufbuild/protobuf";
import { ValueSchema } from "@bufbuild/protobuf/wkt";
import { RunPluginResponseSchema } from "../../gen/ts/pluginrunner/v1/plugin_runner_pb.ts";
import { PluginRunnerError } from "../errors.ts";
import { findJsonFault } from "../util/json.ts";
import type { WorkerResult } from "../worker/messages.ts";

/**
 * Encodes the response of `RunPlugin`. Throws RESULT_INVALID for a result that the client could not take: there it would
 * fail without a word of why.
 */
export function encodeResult({ value, warnings = [] }: WorkerResult, maxBytes: number): Uint8Array {
  const fault = findJsonFault(value);
  if (fault)
    throw resultInvalid(`The result's ${fault.pointer || "value"} ${fault.description}.`, { field: fault.pointer });
  const bytes = toBinary(
    RunPluginResponseSchema,
    create(RunPluginResponseSchema, { result: fromJson(ValueSchema, value), warnings }),
  );
  if (bytes.length <= maxBytes) return bytes;
  throw resultInvalid(
    `The result takes ${bytes.length} bytes, and at most ${maxBytes} are allowed: write it to a file.`,
    {
      field: "",
      size_bytes: String(bytes.length),
      max_result_bytes: String(maxBytes),
    },
  );
}

function resultInvalid(message: string, metadata: Record<string, string>): PluginRunnerError {
  return new PluginRunnerError("RESULT_INVALID", message, { metadata });
}
