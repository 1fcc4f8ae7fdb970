import { basename, extname } from "node:path";
import type { JsonObject, JsonValue } from "@bufbuild/protobuf";
import { PluginRunnerError, toErrorRecord } from "../errors.ts";
import { isJsonObject } from "../util/json.ts";
import { withNumbers } from "../util/non-finite.ts";
import type { Binding, DescribedAction } from "../worker/messages.ts";
import { codeFile } from "./code-file.ts";
import { type Action, isAction } from "./define-action.ts";
import { encode } from "./encode.ts";
import { type ActionCode, type Exports, importFile, loadAction } from "./load-action.ts";

/**
 * Describes actions as their loaded code does: those of `entrypoints`, by name, or when there are none, every export of
 * the binding's module that came out of `defineAction`. One that cannot be loaded has an `error` instead of schemas.
 */
export async function describeActions(
  binding: Binding,
  entrypoints: Readonly<Record<string, string>>,
): Promise<DescribedAction[]> {
  const named = Object.entries(entrypoints);
  if (named.length === 0) return declaredActions(binding);
  return Promise.all(
    named.map(([name, entrypoint]) => describe(name, entrypoint, () => loadAction(binding, entrypoint))),
  );
}

/** A fault of one action is told with it, and leaves the others as they are. */
async function describe(
  name: string,
  entrypoint: string,
  load: () => Action | Promise<ActionCode>,
): Promise<DescribedAction> {
  try {
    return described(name, entrypoint, await load());
  } catch (error) {
    return { ...undescribed(name, entrypoint), error: toErrorRecord(PluginRunnerError.from(error)) };
  }
}

async function declaredActions(binding: Binding): Promise<DescribedAction[]> {
  const path = codeFile(binding.root, binding.module);
  if (path === undefined) return [];
  const actions = exportedActions(await importFile(binding, path));
  const all = actions.map(([key, action]) => {
    const fallback = key === "default" ? basename(path, extname(path)) : key;
    const entrypoint = key === "default" ? path : `${path}#${key}`;
    return describe(action.name ?? fallback, entrypoint, () => action);
  });
  return Promise.all(all);
}

/** Each action once: the name of an export says more than `default`. */
function exportedActions(exports: Exports): [string, Action][] {
  const found = new Map<Action, string>();
  for (const [key, value] of Object.entries(exports)) {
    if (isAction(value) && (!found.has(value) || found.get(value) === "default")) found.set(value, key);
  }
  return [...found].map(([action, key]) => [key, action]);
}

function described(name: string, entrypoint: string, code: Pick<ActionCode, "description" | "params" | "result">) {
  return {
    name,
    description: String(code.description),
    entrypoint,
    params_schema: schema(entrypoint, "params", code.params),
    result_schema: schema(entrypoint, "result", code.result),
  };
}

function undescribed(name: string, entrypoint: string): DescribedAction {
  return { name, description: "", entrypoint, params_schema: null, result_schema: null };
}

function schema(entrypoint: string, part: string, declared: unknown): JsonObject | null {
  if (declared === undefined) return null;
  const encoded = plainSchema(declared);
  if (isJsonObject(encoded)) return encoded;
  const message = `${part} of ${entrypoint} is not a JSON Schema: write one as a plain object, or make one of the schema of your library, as z.toJSONSchema(…) does of zod's.`;
  throw new PluginRunnerError("PLUGIN_INVALID", message, { metadata: { entrypoint, part } });
}

/** Undefined for what holds functions and the like, as the objects of schema libraries do. */
function plainSchema(declared: unknown): JsonValue | undefined {
  // The mark of https://standardschema.dev: some of these have no functions of their own.
  if (typeof declared === "object" && declared !== null && "~standard" in declared) return undefined;
  try {
    const { value, nonFinite } = encode(declared);
    return withNumbers(value, nonFinite);
  } catch {
    return undefined;
  }
}
