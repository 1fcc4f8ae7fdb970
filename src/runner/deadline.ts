import { PluginRunnerError } from "../errors.ts";
import { onceAfter } from "../util/timer.ts";

/**
 * Runs `work` with a signal that aborts with the given one, or with DEADLINE (or what `late` makes) after `ms`
 * milliseconds; at its deadline the promise rejects at once, whether `work` heeds the signal or not. Without `ms` it is
 * `work` with the given signal.
 */
export function withDeadline<T>(
  ms: number | undefined,
  signal: AbortSignal,
  work: (signal: AbortSignal) => Promise<T>,
  late: (ms: number) => PluginRunnerError = deadline,
): Promise<T> {
  return ms === undefined ? work(signal) : beforeDeadline(ms, signal, work, late);
}

/** What `work` resolves to; undefined when that takes longer than `ms`, and its signal aborts then. */
export async function within<T>(
  ms: number,
  signal: AbortSignal,
  work: (signal: AbortSignal) => Promise<T>,
): Promise<T | undefined> {
  const late = new PluginRunnerError("CANCELLED", "It is no longer waited for.");
  try {
    return await withDeadline(ms, signal, work, () => late);
  } catch (error) {
    if (error === late) return undefined;
    throw error;
  }
}

async function beforeDeadline<T>(
  ms: number,
  signal: AbortSignal,
  work: (signal: AbortSignal) => Promise<T>,
  late: (ms: number) => PluginRunnerError,
): Promise<T> {
  const controller = new AbortController();
  const { promise: over, reject } = Promise.withResolvers<never>();
  const end = (reason: unknown) => {
    controller.abort(reason);
    reject(reason);
  };
  const abort = () => end(signal.reason);
  const clear = onceAfter(ms, () => end(late(ms)));
  signal.addEventListener("abort", abort, { once: true });
  if (signal.aborted) abort();
  try {
    return await Promise.race([work(controller.signal), over]);
  } finally {
    clear();
    signal.removeEventListener("abort", abort);
  }
}

/** @param waiting what the run still waits for, where it has not begun */
export function deadline(ms: number, waiting = ""): PluginRunnerError {
  const seconds = String(ms / 1000);
  const message = `The run took longer than its timeout of ${seconds} s`;
  if (waiting === "") {
    return new PluginRunnerError("DEADLINE", `${message}.`, {
      metadata: { timeout_seconds: seconds, started: "unknown" },
    });
  }
  return new PluginRunnerError("DEADLINE", `${message}; it had not begun, and was ${waiting}.`, {
    metadata: { timeout_seconds: seconds, started: "false", waiting },
  });
}
