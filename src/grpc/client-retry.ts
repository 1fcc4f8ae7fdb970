import { setTimeout as sleep } from "node:timers/promises";
import { status } from "@grpc/grpc-js";
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
      if (!(error instanceof RunnerError) || error.code !== status.UNAVAILABLE || failures >= maxTries) throw error;
      await pause(failures, error.retryAfterMs, signal);
    }
  }
}

/** Waits before the next try, longer with each failure, never less than the service asked for. Rejects on abort. */
export async function pause(failures: number, retryAfterMs: number | undefined, signal: AbortSignal | undefined) {
  try {
    await sleep(delayOf(failures, retryAfterMs), undefined, signal ? { signal } : {});
  } catch (error) {
    throw signal?.aborted ? signal.reason : error;
  }
}

/** Jitter keeps clients that lost the same server from coming back at once. */
function delayOf(failures: number, retryAfterMs = 0): number {
  const backoff = Math.min(maxDelayMs, firstDelayMs * 2 ** (failures - 1));
  return retryAfterMs + backoff * (0.5 + Math.random() / 2);
}
