import type { ActionContext } from "./action-context.ts";
import type { JsonSchema, ParamsFrom } from "./from-schema.ts";

/** By name in the registry of all realms: code that brings its own copy of this library is recognised as well. */
const brand: unique symbol = Symbol.for("plugin-runner.action");

/** What an author says of an action. */
export interface ActionDefinition<P extends JsonSchema, R> {
  /** The action's name. Default: the name of the export, and for a default export the file's name. */
  readonly name?: string;
  /** What the action does, for people. */
  readonly description?: string;
  /** The JSON Schema (2020-12) of the params. Calls that break it are refused before the action runs. */
  readonly params?: P;
  /** The JSON Schema (2020-12) of the result, for clients to read. */
  readonly result?: JsonSchema;
  /** Does the work. `params` are validated, and defaults are filled in. */
  run(params: ParamsFrom<P>, ctx: ActionContext): R;
}

/** What `defineAction` returns. Export it from a plugin. */
export interface Action<Params = never, R = unknown> {
  readonly [brand]: true;
  readonly name: string | undefined;
  readonly description: string;
  readonly params: JsonSchema | undefined;
  readonly result: JsonSchema | undefined;
  run(params: Params, ctx: ActionContext): R;
}

/**
 * Declares an action of a plugin. The type of `params` in `run` follows from the schema, with no `as const`.
 *
 * ```ts
 * export const greet = defineAction({
 *   params: { type: "object", properties: { name: { type: "string" } }, required: ["name"] },
 *   run: (params) => `Hello, ${params.name}!`,
 * });
 * ```
 */
export function defineAction<const P extends JsonSchema, R>(
  definition: ActionDefinition<P, R>,
): Action<ParamsFrom<P>, R> {
  const { name, description = "", params, result, run } = definition;
  if (typeof run !== "function") throw new TypeError(runMissing(definition));
  return { [brand]: true, name, description, params, result, run };
}

/** Plain JavaScript, and TypeScript whose types are only stripped, may give anything. */
function runMissing(definition: object): string {
  const functions = Object.entries(definition).flatMap(([key, value]) => (typeof value === "function" ? [key] : []));
  const instead = functions.length === 0 ? "" : ` It has ${functions.join(", ")}: call that run.`;
  return `defineAction needs run, a function (params, ctx) => result.${instead}`;
}

/** Whether a value came out of `defineAction`. */
export function isAction(value: unknown): value is Action {
  return value !== null && typeof value === "object" && brand in value;
}
