import type { JsonValue } from "@bufbuild/protobuf";
import { PluginRunnerError, readViolations } from "../errors.ts";
import { findJsonFault } from "../util/json.ts";
import { usablePointers } from "../util/non-finite.ts";
import { toPlainJson } from "../util/plain-json.ts";
import type { WorkerResult } from "./messages.ts";

/** An error lists no more places. */
const maxFields = 100;

/** Reads the parts of a worker's answer. Plain ones, which nearly all are, cost nothing. */
export function readResult(value: JsonValue, nonFinite?: unknown, warnings?: unknown): WorkerResult {
  return {
    value,
    ...(nonFinite !== undefined && { non_finite: usablePointers(value, nonFinite) }),
    ...(warnings !== undefined && { warnings: readViolations(warnings) }),
  };
}

/** Why a result cannot be sent to clients, with what of it can; undefined when all of it can. */
export function unsendable({ value, non_finite: nonFinite = [] }: WorkerResult): PluginRunnerError | undefined {
  const fault = findJsonFault(value);
  if (!fault) return undefined;
  const rest = toPlainJson(value);
  const fields = rest.faults.map(({ pointer }) => pointer).slice(0, maxFields);
  const partial = { value: rest.value, nonFinite: usablePointers(rest.value, nonFinite) };
  return new PluginRunnerError("RESULT_INVALID", `The result's ${fault.pointer || "value"} ${fault.description}.`, {
    metadata: { field: fault.pointer, fields: JSON.stringify(fields) },
    ...(!fields.includes("") && { partialResult: partial }),
  });
}
