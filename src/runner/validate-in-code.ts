import type { JsonObject } from "@bufbuild/protobuf";
import type { BuildWatcher } from "../engine/engine.ts";
import type { Violation } from "../errors.ts";
import type { LoadedAction, LoadedPlugin, ValidParams } from "../plugin/plugin.ts";
import type { Carried } from "../util/non-finite.ts";

/** Asks an action's own code for its verdict on params, where no schema outside the code has the last word. */
export interface ParamsInspector {
  /** Builds what the plugin's code needs. */
  prepare(plugin: LoadedPlugin, signal: AbortSignal, watcher?: BuildWatcher): Promise<void>;
  /** Whether nothing has to be built for the plugin, as far as that is known without a look. */
  isKnown(plugin: LoadedPlugin): boolean;
  /** Whether nothing has to be built for the plugin. */
  isReady(plugin: LoadedPlugin): Promise<boolean>;
  /** What the build that the plugin waits for does; undefined when there is none. */
  buildOf(plugin: LoadedPlugin): string | undefined;
  /** The params as the code will see them in an environment with `env`. Throws PARAMS_INVALID. */
  validate(
    action: LoadedAction,
    params: Carried<JsonObject>,
    env: Readonly<Record<string, string>>,
    signal: AbortSignal,
  ): Promise<ValidParams>;
}

/** Of one answer. */
const maxWarnings = 100;

/** The params with the defaults of the action's code as well, for people: the action itself is given `known`. */
export async function validateInCode(
  inspector: ParamsInspector,
  action: LoadedAction,
  known: ValidParams,
  env: Readonly<Record<string, string>>,
  signal: AbortSignal,
): Promise<ValidParams> {
  if (action.plugin.binding.language !== "python") return known;
  await inspector.prepare(action.plugin, signal);
  const byCode = await inspector.validate(action, known.params, env, signal);
  return { ...byCode, warnings: mergeWarnings(known.warnings, byCode.warnings) };
}

/** A configuration's schema and the code may say the same of one param: the schema's word is enough. */
export function mergeWarnings(bySchema: readonly Violation[], byCode: readonly Violation[] = []): Violation[] {
  const known = new Set(bySchema.map(({ field }) => field));
  return [...bySchema, ...byCode.filter(({ field }) => !known.has(field))].slice(0, maxWarnings);
}
