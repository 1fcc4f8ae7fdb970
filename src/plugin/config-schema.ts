import { readFileSync } from "node:fs";
import { join } from "node:path";
import { Ajv2020, type ErrorObject, type ValidateFunction } from "ajv/dist/2020.js";
import { isObject } from "../util/is-object.ts";
import { pointerPath } from "../util/json-pointer.ts";
import { didYouMean } from "../util/nearest.ts";
import { packageRoot } from "../util/package-root.ts";

/** A key that the schema does not name. */
export interface UnknownKey {
  path: string[];
  /** ` Did you mean "x"?`, or nothing. */
  suggestion: string;
}

interface ConfigSchema {
  schema: Record<string, unknown>;
  validate: ValidateFunction;
}

let compiled: ConfigSchema | undefined;

/** What `schemas/config.schema.json` says against a parsed `config.yaml`. */
export function checkConfig(config: unknown): readonly ErrorObject[] {
  const { validate } = load();
  return validate(config) ? [] : (validate.errors ?? []);
}

/** The keys that `schemas/config.schema.json` does not name. They are allowed: other tools may read them. */
export function unknownKeys(config: Record<string, unknown>): UnknownKey[] {
  const { schema } = load();
  return unknownIn(config, schema, schema, []);
}

/** The keys of an action that mean something, in the order of the schema. */
export function actionKeys(): string[] {
  const { schema } = load();
  const { properties } = resolve({ $ref: "#/$defs/action" }, schema);
  const known = Object.entries(isObject(properties) ? properties : {});
  return known.filter(([, child]) => isObject(child) && child.$ref !== "#/$defs/unused").map(([name]) => name);
}

function load(): ConfigSchema {
  if (compiled) return compiled;
  const schema: unknown = JSON.parse(readFileSync(join(packageRoot, "schemas", "config.schema.json"), "utf8"));
  if (!isObject(schema)) throw new Error("schemas/config.schema.json is not an object.");
  // The schema is our own and checked by a test: compiling the meta-schema would cost every start 30 ms.
  const ajv = new Ajv2020({
    allErrors: true,
    ownProperties: true,
    verbose: true,
    strict: false,
    meta: false,
    validateSchema: false,
  });
  compiled = { schema, validate: ajv.compile(schema) };
  return compiled;
}

function unknownIn(value: unknown, schema: unknown, root: Record<string, unknown>, path: string[]): UnknownKey[] {
  const { properties, additionalProperties } = resolve(schema, root);
  if (!isObject(value) || (!isObject(properties) && !isObject(additionalProperties))) return [];
  const known = isObject(properties) ? properties : {};
  return Object.entries(value).flatMap(([key, child]) => {
    const next = Object.hasOwn(known, key) ? known[key] : additionalProperties;
    if (next !== undefined) return unknownIn(child, next, root, [...path, key]);
    return [{ path: [...path, key], suggestion: didYouMean(key, Object.keys(known)) }];
  });
}

function resolve(schema: unknown, root: Record<string, unknown>): Record<string, unknown> {
  if (!isObject(schema)) return {};
  const reference = schema.$ref;
  if (typeof reference !== "string") return schema;
  let target: unknown = root;
  for (const step of pointerPath(reference)) target = isObject(target) ? target[step] : undefined;
  return resolve(target, root);
}
