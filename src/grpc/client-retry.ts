import { Code } from "../../gen/ts/google/rpc/code_pb.ts";
import { RunnerError } from "./client-errors.ts";

/** How many calls a request that nobody has answered is worth. */
export const maxTries = 5;

const firstDelayMs = 100;
const maxDelayMs = 10_000;

/**
 * Repeats a call that is safe to repeat while it fails with UNAVAILABLE; it is told how often it has failed. The error in
 * the end has the stack of whoever waits: the one that it was made with leads into the library alone.
 */
export async function retrying<T>(call: (failures: number) => Promise<T>, signal: AbortSignal | undefined): Promise<T> {
  for (let failures = 0; ; ) {
    try {
      return await call(failures);
    } catch (error) {
      failures += 1;
      if (!(error instanceof RunnerError)) throw error;
      if (error.code !== Code.UNAVAILABLE || error.isFinal || failures >= maxTries)
        throw withStackOfCaller(error, retrying);
      await pause(failures, error.retryAfterMs, signal);
    }
  }
}

/** Gives an error the stack of the async functions that wait for it; `above` and what it called are left out. */
export function withStackOfCaller(error: RunnerError, above: CallableFunction = withStackOfCaller): RunnerError {
  error.standsAt(above);
  return error;
}

/** Ends the waits of all that wait for another try at the same server: when one of them found it, or the network is back. */
export class Wakeup {
  readonly #sleepers = new Set<() => void>();

  wake(): void {
    for (const wake of this.#sleepers) wake();
  }

  /** Returns what takes the listener away again. */
  onWake(wake: () => void): () => void {
    this.#sleepers.add(wake);
    return () => this.#sleepers.delete(wake);
  }
}

/**
 * Waits before the next try, longer with each failure, never less than the service asked for, or until it is woken.
 * Rejects on abort.
 */
export function pause(
  failures: number,
  retryAfterMs: number | undefined,
  signal: AbortSignal | undefined,
  wakeup?: Wakeup,
): Promise<void> {
  return new Promise<void>((resolve, reject) => {
    if (signal?.aborted) return reject(signal.reason);
    const end = () => {
      clearTimeout(timer);
      signal?.removeEventListener("abort", end);
      sleeping?.();
      if (signal?.aborted) reject(signal.reason);
      else resolve();
    };
    const timer = setTimeout(end, delayOf(failures, retryAfterMs));
    const sleeping = wakeup?.onWake(end);
    signal?.addEventListener("abort", end, { once: true });
  });
}

/** Jitter keeps clients that lost the same server from coming back at once. */
function delayOf(failures: number, retryAfterMs = 0): number {
  const backoff = Math.min(maxDelayMs, firstDelayMs * 2 ** (failures - 1));
  return retryAfterMs + backoff * (0.5 + Math.random() / 2);
}
