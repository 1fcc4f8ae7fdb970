import type { JsonObject } from "@bufbuild/protobuf";
import type { Violation } from "../errors.ts";
import { isJsonObject } from "../util/json.ts";
import { jsonPointer } from "../util/json-pointer.ts";
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

/** Texts of a request, by their fields; those of a map by their names. */
type Texts = Readonly<Record<string, string | Readonly<Record<string, string>>>>;

/**
 * Refuses texts of a request that UTF-8 cannot say, and what callers without types give for texts: both would arrive as
 * something else.
 */
export function checkTexts(texts: Texts): void {
  const wrong = Object.entries(texts).flatMap(([field, text]) => {
    const members: [string, unknown][] =
      typeof text === "object" && text !== null
        ? Object.entries(text).map(([name, one]) => [jsonPointer([field, name]), one])
        : [[`/${field}`, text]];
    return members.flatMap(([pointer, one]) => textFault(pointer, one));
  });
  const broken = toPlainJson(texts).faults.map(({ pointer, type }) => violation(pointer, `cannot be sent: ${type}`));
  if (wrong.length + broken.length > 0) throw invalidRequest(...wrong, ...broken);
}

function textFault(field: string, text: unknown): Violation[] {
  return typeof text === "string" ? [] : [violation(field, `is of type ${typeof text}, and has to be a text`)];
}

function violation(field: string, description: string): Violation {
  return { field, description, rule: "request" };
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
