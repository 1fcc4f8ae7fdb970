import type { JsonObject } from "@bufbuild/protobuf";
import type { SubmitJobRequest } from "../../gen/ts/pluginrunner/v1/plugin_runner_pb.ts";
import type { Unchecked } from "../job/store/job-store.ts";
import type { Catalog } from "../plugin/catalog.ts";
import { checkParams } from "../plugin/check-params.ts";
import type { LoadedAction, LoadedPlugin, ValidParams } from "../plugin/plugin.ts";
import type { Carried } from "../util/non-finite.ts";
import { within } from "./deadline.ts";
import { nameOf } from "./request.ts";
import { type ParamsInspector, validateInCode } from "./validate-in-code.ts";

/** An action with params that it takes, as far as that is known when a job is submitted. */
export interface Decision {
  action: LoadedAction;
  /** What the action is given. */
  known: ValidParams;
  /** What people see. */
  shown: ValidParams;
  /** Set where the code was not asked. */
  unchecked?: Unchecked;
}

/** How long `SubmitJob` waits for the code's verdict before the job gets its id without. */
const submitPatienceMs = 5000;

/**
 * Finds the action of a submission and validates its params. A caller is not kept waiting for a build, or for code that
 * takes long to load: then the job finds out, see `restoreJob`.
 * @param found the plugin, where it is known
 */
export async function decide(
  request: Pick<SubmitJobRequest, "plugin" | "action" | "entrypoint" | "env">,
  given: Carried<JsonObject>,
  found: LoadedPlugin | undefined,
  { catalog, inspector }: { catalog: Catalog; inspector: ParamsInspector },
  signal: AbortSignal,
): Promise<Decision> {
  const plugin = found ?? (await catalog.load(request.plugin, signal, nameOf(request)));
  const { action: name, entrypoint, env } = request;
  if (await inspector.isReady(plugin)) {
    const byCode = async (own: AbortSignal) => {
      const action = await catalog.action(plugin, name, entrypoint, own, env);
      const known = checkParams(action, given);
      return { action, known, shown: await validateInCode(inspector, action, known, env, own) };
    };
    const decision = await within(submitPatienceMs, signal, byCode);
    if (decision) return decision;
  }
  const action = await catalog.glance(plugin, name, entrypoint, signal);
  const known = checkParams(action, given);
  const bySchema = action.validator !== undefined;
  const complete = bySchema && action.entrypoint !== "" && plugin.binding.language === "javascript";
  return { action, known, shown: known, ...(!complete && { unchecked: { bySchema } }) };
}
