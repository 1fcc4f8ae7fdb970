import { PluginRunnerError } from "../errors.ts";
import type { LoadedPlugin } from "../plugin/plugin.ts";
import { abortable } from "../util/abortable.ts";
import { maxTimerMs } from "../util/timer.ts";
import type { ParamsInspector } from "./validate-in-code.ts";

/** A caller that is told at its deadline itself does not hear it any more. */
const marginShare = 0.1;
const maxMarginMs = 1000;

/**
 * Does `work`, of which building the plugin's environment may be a part. Where that is what goes on shortly before the
 * deadline (in milliseconds since 1970), rejects with a DEADLINE that says so: nothing has started, and a later call finds
 * more done.
 */
export async function whileBuilding<T>(
  { plugin, inspector }: { plugin: LoadedPlugin; inspector: ParamsInspector },
  deadline: number,
  signal: AbortSignal,
  work: (signal: AbortSignal) => Promise<T>,
): Promise<T> {
  const left = deadline - Date.now();
  if (inspector.isKnown(plugin) || left > maxTimerMs) return work(signal);
  const late = new AbortController();
  const tell = () => {
    const detail = inspector.buildOf(plugin);
    if (detail !== undefined) late.abort(stillBuilding(plugin, detail));
  };
  const timer = setTimeout(tell, Math.max(0, left - Math.min(left * marginShare, maxMarginMs)));
  try {
    return await abortable(work(AbortSignal.any([signal, late.signal])), late.signal);
  } finally {
    clearTimeout(timer);
  }
}

function stillBuilding({ info }: LoadedPlugin, detail: string): PluginRunnerError {
  const message = `Plugin ${info.code} is still ${detail}. The build goes on: try again.`;
  return new PluginRunnerError("DEADLINE", message, { metadata: { started: "false", plugin: info.code, detail } });
}
