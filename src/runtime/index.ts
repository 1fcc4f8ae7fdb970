/** What authors of JavaScript and TypeScript plugins import, as `plugin-runner` or `plugin-runner/plugin`. */
export type {
  ActionContext,
  ArtifactOptions,
  Logger,
  LogLevel,
  LogOptions,
  ProgressOptions,
} from "./action-context.ts";
export { type Action, type ActionDefinition, defineAction } from "./define-action.ts";
export type { FromSchema, JsonSchema } from "./from-schema.ts";
