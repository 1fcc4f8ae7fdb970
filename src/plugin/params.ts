import type { JsonObject } from "@bufbuild/protobuf";
import { Ajv2020, type ValidateFunction } from "ajv/dist/2020.js";
import formats from "ajv-formats";
import { PluginRunnerError, type Violation } from "../errors.ts";
import { maxMessageLevels } from "../util/json.ts";
import { isPlainJson } from "../util/plain-json.ts";
import { addNumberKeywords, withNumberKeywords, writeNumbers } from "./number-keywords.ts";
import type { ParamsValidator } from "./plugin.ts";
import { linearRegExp } from "./regexp.ts";
import { refuseHostileSchema } from "./schema-limits.ts";
import { findUndeclared } from "./undeclared.ts";
import { toViolations } from "./violations.ts";

/** Of one answer; the metadata `violations_total` says how many there were. */
const maxViolations = 100;

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
  const validate = compileSchema(schema, owner);
  const undeclared = findUndeclared(schema) ?? noWarnings;
  const check = (params: JsonObject) => {
    if (!accepts(validate, params, owner)) throw paramsInvalid(validate, owner);
    return undeclared(params);
  };
  return Object.assign(check, { fillsNonFinite: !isPlainJson(schema, maxMessageLevels) });
}

function noWarnings(): readonly Violation[] {
  return [];
}

function compileSchema(schema: JsonObject, owner: string): ValidateFunction {
  refuseHostileSchema(schema, owner);
  // A schema of an older draft is read as 2020-12: what params use of it means the same.
  const { $schema: _, $id: __, ...plain } = schema;
  try {
    metaSchema ??= new Ajv2020({ strict: false, allErrors: true, verbose: true, logger: false });
    if (metaSchema.validateSchema(plain) !== true) throw schemaInvalid(metaSchema, owner);
    const ajv = new Ajv2020(options);
    formats.default(ajv);
    addNumberKeywords(ajv);
    return ajv.compile(withNumberKeywords(plain));
  } catch (error) {
    if (error instanceof PluginRunnerError) throw error.metadata.owner ? error : named(error, owner);
    const why = error instanceof RangeError ? "it is too large" : errorText(error);
    throw new PluginRunnerError("PLUGIN_INVALID", `The params schema of ${owner} cannot be used: ${why}.`, {
      metadata: { owner, problem: why },
      cause: error,
    });
  }
}

function schemaInvalid(ajv: Ajv2020, owner: string): PluginRunnerError {
  const violations = toViolations(ajv.errors ?? [], "").slice(0, maxViolations);
  const [first] = violations;
  const problem = first ? `${first.field || "/"} ${first.description}` : "it is not a schema";
  return new PluginRunnerError("PLUGIN_INVALID", `The params schema of ${owner} is invalid: ${problem}.`, {
    violations,
    metadata: { owner, problem },
  });
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
  const total = errors.length;
  const violations = toViolations(errors.slice(0, maxViolations), "/params");
  const shown = violations.slice(0, 3).map(({ field, description }) => `${field} ${description.replace(/\.$/, "")}`);
  const more = total > 3 ? `; and ${total - 3} more` : "";
  const count = total === 1 ? "1 parameter of" : `${total} parameters of`;
  return new PluginRunnerError(
    "PARAMS_INVALID",
    `${count} ${owner} ${total === 1 ? "is" : "are"} invalid: ${shown.join("; ")}${more}`,
    { violations, metadata: { owner, violations_total: String(total) } },
  );
}

function errorText(error: unknown): string {
  return error instanceof Error ? error.message.slice(0, 300) : String(error);
}
