import type { ErrorObject } from "ajv";
import type { Violation } from "../errors.ts";
import { isObject } from "../util/is-object.ts";
import { jsonPointer } from "../util/json-pointer.ts";
import { didYouMean } from "../util/nearest.ts";
import { enumKeyword, finiteKeyword } from "./number-keywords.ts";

const longest = 300;

/** Keywords of JSON Schema that others stand for. */
const rules: Readonly<Record<string, string>> = { [finiteKeyword]: "type", [enumKeyword]: "enum" };

/** What ajv found, for a person: `prefix` comes before every pointer. Needs ajv's option `verbose`. */
export function toViolations(errors: readonly ErrorObject[], prefix: string): Violation[] {
  const found = new Map<string, Violation>();
  for (const error of errors) {
    const field = cut(prefix + error.instancePath + lastStep(error));
    const description = cut(describe(error));
    // Several parts of a schema may ask the same.
    const key = `${field}\0${description}`;
    const keyword = error.propertyName === undefined ? error.keyword : "propertyNames";
    if (!found.has(key)) found.set(key, { field, description, rule: rules[keyword] ?? keyword });
  }
  return [...found.values()];
}

/** The pointer's last step, where the fault is a property that is missing or too many. */
function lastStep({ keyword, params }: ErrorObject): string {
  if (keyword === "required" || keyword === "dependentRequired") return jsonPointer([String(params.missingProperty)]);
  if (keyword === "additionalProperties") return jsonPointer([String(params.additionalProperty)]);
  if (keyword === "unevaluatedProperties") return jsonPointer([String(params.unevaluatedProperty)]);
  return "";
}

function describe(error: ErrorObject): string {
  const { keyword, params, data } = error;
  switch (keyword) {
    case "required":
      return "is required";
    case "dependentRequired":
      return `is required when ${String(params.property)} is given`;
    case "additionalProperties":
      return `is not expected.${suggestion(error, params.additionalProperty)}`;
    case "unevaluatedProperties":
      return `is not expected.${suggestion(error, params.unevaluatedProperty)}`;
    case "type":
      return `must be ${typeNames(params.type)}, not ${typeOf(data)}`;
    case finiteKeyword:
      return `must be integer, not ${data}`;
    case enumKeyword:
      return `must be one of ${allowed(error.schema)}`;
    case "enum":
      return `must be one of ${allowed(params.allowedValues)}.${typeof data === "string" ? didYouMean(data, names(params.allowedValues)) : ""}`;
    case "const":
      return `must be ${JSON.stringify(params.allowedValue)}`;
    case "minimum":
      return `must be ≥ ${params.limit}`;
    case "maximum":
      return `must be ≤ ${params.limit}`;
    case "exclusiveMinimum":
      return `must be > ${params.limit}`;
    case "exclusiveMaximum":
      return `must be < ${params.limit}`;
    case "pattern":
      return error.propertyName === undefined ? `must ${wanted(error)}` : unwantedName(error.propertyName);
    case "propertyNames":
      return unwantedName(params.propertyName);
    case "false schema":
      return "is not allowed";
    default:
      return (error.message ?? "is invalid").replace("must NOT", "must not");
  }
}

/** Said of what is wrong with a name, and of the name as a whole: once. */
function unwantedName(name: unknown): string {
  return `has a property whose name is not allowed: ${JSON.stringify(name)}`;
}

/** Examples say more than a pattern. */
function wanted({ parentSchema, params }: ErrorObject): string {
  const examples: unknown = parentSchema?.examples;
  if (!Array.isArray(examples) || examples.length === 0) return `match pattern "${params.pattern}"`;
  return `be written like ${examples.slice(0, 10).join(", ")}`;
}

function suggestion({ parentSchema }: ErrorObject, property: unknown): string {
  const properties: unknown = parentSchema?.properties;
  return isObject(properties) ? didYouMean(String(property), Object.keys(properties)) : "";
}

function typeNames(types: unknown): string {
  return Array.isArray(types) ? types.join(" or ") : String(types).replaceAll(",", " or ");
}

function typeOf(value: unknown): string {
  if (value === null) return "null";
  if (typeof value === "number" && !Number.isFinite(value)) return String(value);
  return Array.isArray(value) ? "array" : typeof value;
}

function allowed(values: unknown): string {
  if (!Array.isArray(values)) return "the allowed values";
  const shown = values.slice(0, 20).map(inWords);
  return shown.join(", ") + (values.length > 20 ? ` and ${values.length - 20} more` : "");
}

function inWords(value: unknown): string {
  return typeof value === "number" ? String(value) : JSON.stringify(value);
}

function names(values: unknown): string[] {
  return Array.isArray(values) ? values.filter((value) => typeof value === "string") : [];
}

function cut(text: string): string {
  return text.length > longest ? `${text.slice(0, longest)}…` : text;
}
