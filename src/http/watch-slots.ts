import { Code } from "../../gen/ts/google/rpc/code_pb.ts";
import { ExecutionError, type RunnerError } from "../grpc/client-errors.ts";
import { pause } from "../grpc/client-retry.ts";

/**
 * Browsers open six connections to an address that has no TLS, for all of their tabs together, and a call beyond waits
 * without a word. A watch takes one for as long as it lasts, so that the last one is kept for everything else.
 */
const watchesPerAddress = 5;

/** A watch that ends gives its slot back a moment later. */
const tries = 5;

/** The part of https://w3c.github.io/web-locks/ that is used here; pages without TLS on other hosts do not have it. */
interface Locks {
  request<T>(name: string, options: { ifAvailable: true }, held: (lock: unknown) => T): Promise<Awaited<T>>;
}

/** Takes one of the slots for watches of an address; returns what gives it back. Fails when all stay taken. */
export async function takeWatchSlot(origin: string, signal: AbortSignal): Promise<() => void> {
  for (let failures = 1; failures <= tries; failures++) {
    const release = await freeSlot(origin);
    if (release) return release;
    await pause(failures, undefined, signal);
  }
  throw tooManyWatches(origin);
}

async function freeSlot(origin: string): Promise<(() => void) | undefined> {
  for (let slot = 0; slot < watchesPerAddress; slot++) {
    const release = await lock(`plugin-runner watch ${slot} of ${origin}`);
    if (release) return release;
  }
  return undefined;
}

/** Locks of this page alone, where the browser has none for all of its tabs. */
const taken = new Set<string>();

function lock(name: string): Promise<(() => void) | undefined> {
  return locks ? lockInBrowser(locks, name) : Promise.resolve(lockInPage(name));
}

const locks: Locks | undefined = globalThis.navigator === undefined ? undefined : Reflect.get(navigator, "locks");

function lockInBrowser(from: Locks, name: string): Promise<(() => void) | undefined> {
  return new Promise((resolve) => {
    const held = (lock: unknown) =>
      lock === null ? resolve(undefined) : new Promise<void>((release) => resolve(() => release()));
    // A page without an origin of its own may not lock.
    from.request(name, { ifAvailable: true }, held).catch(() => resolve(lockInPage(name)));
  });
}

function lockInPage(name: string): (() => void) | undefined {
  if (taken.has(name)) return undefined;
  taken.add(name);
  return () => taken.delete(name);
}

function tooManyWatches(origin: string): RunnerError {
  return new ExecutionError({
    reason: "OVERLOADED",
    code: Code.RESOURCE_EXHAUSTED,
    message:
      `This browser watches ${origin} ${watchesPerAddress} times already. It opens six connections to an address without ` +
      "TLS, and one more watch would hold up every other call: end one, watch the list of jobs once for all, or use TLS.",
    metadata: { limit: "watches", value: String(watchesPerAddress) },
    isFinal: true,
  });
}
