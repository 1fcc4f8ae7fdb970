import type { JsonObject } from "@bufbuild/protobuf";
import { PluginRunnerError } from "../errors.ts";
import { isJsonObject } from "../util/json.ts";
import type { Carried } from "../util/non-finite.ts";
import { type PlainJson, type PlainJsonFault, toPlainJson } from "../util/plain-json.ts";
import { shownText, wellFormed } from "../util/shown-text.ts";

/** An error lists no more places. */
const maxFields = 100;

/** What to do about a value that is refused, by its type. */
const hints: Readonly<Record<string, string>> = {
  "integer beyond 2^53": "return it as a string",
  "text with half a surrogate pair": "return it without, or its bytes",
  "name that occurs twice as text": "two keys are equal as JSON's names, which are texts",
  "nesting deeper than clients can read": "return less of it, or make it an artifact (ctx.artifact)",
  cycle: "it contains itself",
  function: "leave it out",
  symbol: "leave it out, or return its description",
  Promise: "await it",
};
const keyHint = "a key is a text, or a number, a boolean, null, a date or bytes";
const otherHint = "return what it holds: a plain object, a list, a text or a number";

/**
 * Turns what an action returned into JSON, as docs/values.md lists it. A value that is plain JSON is returned as it is,
 * without a copy. Throws RESULT_INVALID with every place that JSON cannot carry, and with the rest of the result.
 */
export function encode(value: unknown): Carried {
  const plain = toPlainJson(value, { absent: null });
  if (plain.faults.length === 0) return plain;
  throw resultInvalid(plain);
}

/** The same for metrics, log fields and metadata, where nothing is refused: what JSON cannot carry becomes a text. */
export function encodeFields(fields: object): Carried<JsonObject> {
  const { value, nonFinite } = toPlainJson(fields, { absent: null, instead: shownText, rename: wellFormed });
  if (isJsonObject(value)) return { value, nonFinite };
  return { value: { value }, nonFinite: nonFinite.map((pointer) => `/value${pointer}`) };
}

/** The pointers to its numbers, as records have them. */
export function pointersOf({ nonFinite }: Carried): { non_finite?: readonly string[] } {
  return nonFinite.length === 0 ? {} : { non_finite: nonFinite };
}

function resultInvalid({ value, nonFinite, faults }: PlainJson): PluginRunnerError {
  const fields = faults.map(({ pointer }) => pointer);
  const [first] = faults;
  const message = `The result has no JSON: ${first ? describe(first) : ""}${more(faults.length - 1)}`;
  return new PluginRunnerError("RESULT_INVALID", message, {
    metadata: {
      field: first?.pointer ?? "",
      fields: JSON.stringify(fields.slice(0, maxFields)),
      type: first?.type ?? "",
    },
    ...(!fields.includes("") && { partialResult: { value, nonFinite } }),
  });
}

function describe({ pointer, type, detail }: PlainJsonFault): string {
  const what = detail === undefined ? type : `${type} (${detail})`;
  const hint = hints[type] ?? (type.startsWith("key of type ") ? keyHint : otherHint);
  return `${pointer === "" ? "it" : pointer} is ${article(type)}${what}: ${hint}.`;
}

/** An article in front of what has one. */
function article(type: string): string {
  if (type.startsWith("nesting ")) return "";
  return /^[aeiou]/i.test(type) ? "an " : "a ";
}

function more(count: number): string {
  return count < 1 ? "" : ` ${count} more ${count === 1 ? "place is" : "places are"} named in the error's \`fields\`.`;
}
