import { setTimeout as delay } from "node:timers/promises";
import type { OpenCalls } from "../grpc/open-calls.ts";

/** The parts of a server that its end concerns. */
export interface Leaving {
  /** Takes no new calls; resolves once those under way were answered and have their answers. Cuts connections on abort. */
  closePorts(cut: AbortSignal): Promise<void>;
  /** Lets what runs finish until the signal aborts, then ends it, by which its calls are answered. */
  endWork(until: AbortSignal): Promise<void>;
  openCalls: OpenCalls;
}

/** How long processes that were killed may take to be gone. */
const killMs = 3000;
/** How long a call may take to hear that its work was ended. */
const hearMs = 500;
/** How long callers may take for the answers that are on their way. */
const flushMs = 3000;

/**
 * Ends a server so that no call is cut that was not answered: callers, and proxies before them, take a connection that breaks
 * for one by which nothing was begun, and call again.
 */
export async function leave({ closePorts, endWork, openCalls }: Leaving, until: AbortSignal): Promise<void> {
  const cut = new AbortController();
  const closed = closePorts(cut.signal);
  await Promise.race([closed, aborted(until)]);
  const ended = endWork(until);
  await Promise.race([ended, delay(killMs, undefined, { ref: false })]);
  await Promise.race([openCalls.idle(), delay(hearMs, undefined, { ref: false })]);
  openCalls.end();
  await Promise.race([closed, delay(flushMs, undefined, { ref: false })]);
  cut.abort();
  await Promise.all([closed, ended]);
}

function aborted(signal: AbortSignal): Promise<void> {
  if (signal.aborted) return Promise.resolve();
  return new Promise((resolve) => signal.addEventListener("abort", () => resolve(), { once: true }));
}
