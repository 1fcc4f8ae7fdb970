import { PluginRunnerError } from "../errors.ts";
import type { Carried } from "../util/non-finite.ts";
import { type ContextOptions, RunContext } from "./action-context.ts";
import { encode } from "./encode.ts";
import type { ActionCode } from "./load-action.ts";
import { actionFailed } from "./plugin-failure.ts";

/** One call of an action's code. `params` are validated and complete, `env` is what `ctx.env` shows. */
export interface ActionCall extends ContextOptions {
  readonly action: string;
  readonly params: unknown;
}

/**
 * Runs an action and returns its result as JSON. Throws ACTION_FAILED for what the action throws, RESULT_INVALID for what
 * JSON cannot say. When the action ends by the abort of `call.signal`, throws the signal's reason if that is a
 * PluginRunnerError, and else CANCELLED.
 */
export async function runAction(code: ActionCode, call: ActionCall): Promise<Carried> {
  const context = new RunContext(call);
  try {
    const returned = code.run(call.params, context);
    const value = isThenable(returned) ? await returned : returned;
    if (context.artifacts !== undefined) await Promise.all(context.artifacts);
    return encode(value);
  } catch (thrown) {
    throw failure(call, thrown);
  }
}

function failure({ action, signal }: ActionCall, thrown: unknown): PluginRunnerError {
  if (thrown instanceof PluginRunnerError) return thrown;
  if (signal.aborted && isAbort(thrown, signal)) {
    if (signal.reason instanceof PluginRunnerError) return signal.reason;
    return new PluginRunnerError("CANCELLED", `Action ${action} was cancelled.`, { metadata: { action } });
  }
  return actionFailed(action, thrown);
}

/** Node's own waits reject with an AbortError of their own, which has the signal's reason as its cause. */
function isAbort(thrown: unknown, signal: AbortSignal): boolean {
  return thrown === signal.reason || (thrown instanceof Error && thrown.name === "AbortError");
}

function isThenable(value: unknown): value is PromiseLike<unknown> {
  return value !== null && typeof value === "object" && "then" in value && typeof value.then === "function";
}
