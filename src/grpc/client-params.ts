import type { JsonObject } from "@bufbuild/protobuf";
import type { Violation } from "../errors.ts";
import { isJsonObject } from "../util/json.ts";
import { type PlainJsonFault, toPlainJson } from "../util/plain-json.ts";
import { invalidRequest } from "./client-errors.ts";

/** Params as a request carries them. */
export interface EncodedParams {
  params: JsonObject;
  /** JSON pointers to the texts in `params` that stand for numbers. */
  nonFinite: string[];
}

/** Encodes the params of a call. Throws REQUEST_INVALID with every place that JSON cannot carry, before anything is sent. */
export function encodeParams(params: object): EncodedParams {
  const { value, nonFinite, faults } = toPlainJson(params);
  if (faults.length > 0) throw invalidRequest(...faults.slice(0, maxViolations).map(violationOf));
  if (!isJsonObject(value)) throw invalidRequest({ field: "/params", description: "is no object", rule: "request" });
  return { params: value, nonFinite };
}

/** Refuses texts of a request that UTF-8 cannot say: they would arrive as others. */
export function checkTexts(fields: Readonly<Record<string, string | Readonly<Record<string, string>>>>): void {
  const faults = toPlainJson(fields).faults.map(({ pointer, type }) => ({
    field: pointer,
    description: `cannot be sent: ${type}`,
    rule: "request",
  }));
  if (faults.length > 0) throw invalidRequest(...faults);
}

const maxViolations = 100;

/** What to do about the faults that people meet most. */
const hints: Readonly<Record<string, string>> = {
  "integer beyond 2^53": "; send it as a string",
  "nesting deeper than clients can read": "; objects may nest 31 levels and lists 47",
};

function violationOf({ pointer, type }: PlainJsonFault): Violation {
  const description = `cannot be sent as JSON: ${type}${hints[type] ?? ""}`;
  return { field: `/params${pointer}`, description, rule: "request" };
}
