import { Code } from "../../gen/ts/google/rpc/code_pb.ts";
import { RunnerError } from "./client-errors.ts";

/** How many calls a request that nobody has answered is worth. */
export const maxTries = 5;

const firstDelayMs = 100;
const maxDelayMs = 10_000;

/** Repeats a call that is safe to repeat while it fails with UNAVAILABLE. */
export async function retrying<T>(call: () => Promise<T>, signal: AbortSignal | undefined): Promise<T> {
  for (let failures = 1; ; failures += 1) {
    try {
      return await call();
    } catch (error) {
      if (!(error instanceof RunnerError) || error.code !== Code.UNAVAILABLE || failures >= maxTries) throw error;
      await pause(failures, error.retryAfterMs, signal);
    }
  }
}

/** Waits before the next try, longer with each failure, never less than the service asked for. Rejects on abort. */
export function pause(failures: number, retryAfterMs: number | undefined, signal: AbortSignal | undefined) {
  return new Promise<void>((resolve, reject) => {
    if (signal?.aborted) return reject(signal.reason);
    const abort = () => {
      clearTimeout(timer);
      reject(signal?.reason);
    };
    const timer = setTimeout(
      () => {
        signal?.removeEventListener("abort", abort);
        resolve();
      },
      delayOf(failures, retryAfterMs),
    );
    signal?.addEventListener("abort", abort, { once: true });
  });
}

/** Jitter keeps clients that lost the same server from coming back at once. */
function delayOf(failures: number, retryAfterMs = 0): number {
  const backoff = Math.min(maxDelayMs, firstDelayMs * 2 ** (failures - 1));
  return retryAfterMs + backoff * (0.5 + Math.random() / 2);
}
