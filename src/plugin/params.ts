import type { JsonObject } from "@bufbuild/protobuf";
import { Ajv2020, type ValidateFunction } from "ajv/dist/2020.js";
import formats from "ajv-formats";
import { PluginRunnerError, type Violation } from "../errors.ts";
import { maxMessageLevels } from "../util/json.ts";
import { isPlainJson } from "../util/plain-json.ts";
import { type SchemaProblem, withoutBrokenDefaults } from "./broken-defaults.ts";
import { addNumberKeywords, withNumberKeywords, writeNumbers } from "./number-keywords.ts";
import { toNewerSchema } from "./older-schema.ts";
import { addParamsKeywords, withOwnDefaults } from "./params-keywords.ts";
import type { ParamsValidator } from "./plugin.ts";
import { linearRegExp } from "./regexp.ts";
import { refuseHostileSchema } from "./schema-limits.ts";
import { findUndeclared } from "./undeclared.ts";
import { toViolations } from "./violations.ts";

/** Of one answer; the metadata `violations_total` says how many there were. */
const maxViolations = 100;

/** So many faults are put in words, and each is told once. */
const maxCompared = 1000;

interface Compiled {
  validate: ValidateFunction;
  /** The schema in the words of 2020-12. */
  newer: JsonObject;
  /** What its author should know of. */
  problems: readonly SchemaProblem[];
}

const options = {
  allErrors: true,
  useDefaults: true,
  ownProperties: true,
  strict: false,
  verbose: true,
  logger: false,
  // Checked once by `metaSchema`: each instance compiling it anew would cost 30 ms.
  meta: false,
  validateSchema: false,
  code: { regExp: linearRegExp, process: writeNumbers },
  // NaN and infinities are numbers, as they are for pydantic: limits refuse them.
  strictNumbers: false,
} as const;

let metaSchema: Ajv2020 | undefined;

/**
 * Compiles the JSON Schema (2020-12) of an action's params. The validator fills in defaults, in place.
 * @param owner the action, for messages: `digits/train`
 * @throws PLUGIN_INVALID when the schema is not valid, too large, hostile, or uses patterns that are not supported
 */
export function compileParams(schema: JsonObject, owner: string): ParamsValidator {
  const { validate, newer, problems } = compileSchema(schema, owner);
  const undeclared = findUndeclared(newer) ?? noWarnings;
  const check = (params: JsonObject) => {
    if (!accepts(validate, params, owner)) throw paramsInvalid(validate, owner);
    return undeclared(params);
  };
  const fillsDefaults = JSON.stringify(schema).includes('"default"');
  return Object.assign(check, { fillsDefaults, fillsNonFinite: !isPlainJson(schema, maxMessageLevels), problems });
}

function noWarnings(): readonly Violation[] {
  return [];
}

function compileSchema(schema: JsonObject, owner: string): Compiled {
  refuseHostileSchema(schema, owner);
  try {
    const { $schema: _, $id: __, ...newer } = toNewerSchema(schema);
    metaSchema ??= new Ajv2020({ strict: false, allErrors: true, verbose: true, logger: false });
    if (metaSchema.validateSchema(newer) !== true) throw schemaInvalid(metaSchema, owner);
    const { schema: sound, problems } = withoutBrokenDefaults(newer, (each) =>
      newAjv().addSchema(forAjv(each), "params"),
    );
    return { validate: newAjv().compile(forAjv(sound)), newer, problems };
  } catch (error) {
    if (error instanceof PluginRunnerError) throw error.metadata.owner ? error : named(error, owner);
    const why = error instanceof RangeError ? "it is too large" : errorText(error);
    throw new PluginRunnerError("PLUGIN_INVALID", `The params schema of ${owner} cannot be used: ${sentence(why)}`, {
      metadata: { owner, problem: why },
      cause: error,
    });
  }
}

function forAjv(schema: JsonObject): JsonObject {
  return withOwnDefaults(withNumberKeywords(schema));
}

function newAjv(): Ajv2020 {
  const ajv = new Ajv2020(options);
  formats.default(ajv);
  addNumberKeywords(ajv);
  addParamsKeywords(ajv);
  return ajv;
}

function schemaInvalid(ajv: Ajv2020, owner: string): PluginRunnerError {
  const violations = firstOfEach(toViolations(ajv.errors ?? [], "")).slice(0, maxViolations);
  const [first] = violations;
  const problem = first ? `${first.field || "/"} ${first.description}` : "it is not a schema";
  return new PluginRunnerError("PLUGIN_INVALID", `The params schema of ${owner} is invalid: ${sentence(problem)}`, {
    violations,
    metadata: { owner, problem, field: first?.field ?? "" },
  });
}

/** A place breaks every branch of the meta-schema that it might have been: the first one says most. */
function firstOfEach(violations: readonly Violation[]): Violation[] {
  return [...new Map(violations.toReversed().map((violation) => [violation.field, violation])).values()].toReversed();
}

function named(error: PluginRunnerError, owner: string): PluginRunnerError {
  return new PluginRunnerError(error.reason, `The params schema of ${owner} cannot be used: ${error.message}`, {
    metadata: { ...error.metadata, owner },
    cause: error,
  });
}

function accepts(validate: ValidateFunction, params: JsonObject, owner: string): boolean {
  try {
    return validate(params) === true;
  } catch (error) {
    if (!(error instanceof RangeError)) throw error;
    throw new PluginRunnerError("PLUGIN_INVALID", `The params schema of ${owner} recurses without end.`, {
      metadata: { owner },
      cause: error,
    });
  }
}

function paramsInvalid(validate: ValidateFunction, owner: string): PluginRunnerError {
  const errors = validate.errors ?? [];
  const all = toViolations(errors.slice(0, maxCompared), "/params");
  const total = errors.length > maxCompared ? errors.length : all.length;
  const violations = all.slice(0, maxViolations);
  const shown = violations.slice(0, 3).map(({ field, description }) => `${field} ${description.replace(/\.$/, "")}`);
  const more = total > 3 ? `; and ${total - 3} more` : "";
  const count = total === 1 ? "1 parameter of" : `${total} parameters of`;
  return new PluginRunnerError(
    "PARAMS_INVALID",
    `${count} ${owner} ${total === 1 ? "is" : "are"} invalid: ${shown.join("; ")}${more}`,
    { violations, metadata: { owner, violations_total: String(total) } },
  );
}

function sentence(text: string): string {
  return /[.?!]$/.test(text) ? text : `${text}.`;
}

function errorText(error: unknown): string {
  return error instanceof Error ? error.message.slice(0, 300) : String(error);
}
