import { Code } from "../../gen/ts/google/rpc/code_pb.ts";
import { ExecutionError, RunnerError } from "./client-errors.ts";
import { maxTries, pause, type Wakeup, withStackOfCaller } from "./client-retry.ts";

/** How a watch stands: still told what there was, up to date, or looking for a server that it has lost. */
export type WatchState = "connecting" | "live" | "reconnecting";

/** How a watch deals with a server that goes away. */
export interface ResumeOptions {
  signal: AbortSignal | undefined;
  /** A stream that is silent for longer counts as cut. */
  silenceMs: number;
  /** Called when a stream that was opened at this time of `performance.now()` is silent for too long. */
  onSilence: ((openedAt: number) => void) | undefined;
  /** How long a server that had answered is looked for. */
  retryForMs: number;
  /** Told of every new try, before the wait for it. */
  onRetry: ((error: RunnerError) => void) | undefined;
  /** Told of every change of the watch's state. */
  onState: ((state: WatchState) => void) | undefined;
  /** Shared by the watches of a client: those that wait for the server go on together. */
  wakeup: Wakeup;
}

/** What the messages of both watches have in common. */
interface StreamMessage {
  update: { case?: string | undefined };
}

/**
 * Yields the messages of a stream, which is opened again whenever it was cut; `open` continues where it was. Ends when
 * the stream ends and `finished` says that this is right; `caughtUp` is asked after each message that was taken whether
 * the consumer has all that there was. A server that never answers is given up after a few tries.
 */
export async function* resuming<M extends StreamMessage>(
  open: (signal: AbortSignal) => AsyncIterable<M>,
  finished: () => boolean,
  caughtUp: (message: M) => boolean,
  options: ResumeOptions,
): AsyncGenerator<M, void, undefined> {
  let failures = 0;
  let heard = false;
  let lostAt: number | undefined;
  const enter = stateOf(options.onState);
  enter("connecting");
  for (;;) {
    let cause = cut("The stream ended early.");
    try {
      for await (const message of unlessSilent(open, options)) {
        heard = true;
        // Whoever waits for the same server need not wait any longer.
        if (lostAt !== undefined) options.wakeup.wake();
        lostAt = undefined;
        if (message.update.case === "reconnect") {
          cause = cut("The server is going away.");
          break;
        }
        if (message.update.case !== "snapshot") failures = 0;
        yield message;
        if (caughtUp(message)) enter("live");
      }
      if (finished()) return;
    } catch (error) {
      if (!isCut(error)) throw error instanceof RunnerError ? withStackOfCaller(error) : error;
      cause = error;
    }
    failures += 1;
    const now = performance.now();
    lostAt ??= now;
    const givenUp = heard ? now - lostAt > options.retryForMs : failures >= maxTries;
    if (givenUp) throw withStackOfCaller(cause);
    if (heard) enter("reconnecting");
    options.onRetry?.(cause);
    await pause(failures, cause.retryAfterMs, options.signal, options.wakeup);
  }
}

/** Tells of a state once, when it is another one. */
function stateOf(tell: ResumeOptions["onState"]): (state: WatchState) => void {
  let current: WatchState | undefined;
  return (state) => {
    if (state === current) return;
    current = state;
    tell?.(state);
  };
}

/** A stream that was cut, by the connection, a proxy or this client: `UNAVAILABLE`, worth another try. */
export function cut(message: string): RunnerError {
  return new ExecutionError({ reason: "UNAVAILABLE", message, code: Code.UNAVAILABLE });
}

/** Ends the stream when nothing comes for too long; the time that the consumer takes does not count. */
async function* unlessSilent<M>(
  open: (signal: AbortSignal) => AsyncIterable<M>,
  { signal, silenceMs, onSilence }: ResumeOptions,
): AsyncGenerator<M, void, undefined> {
  const silence = new AbortController();
  const openedAt = performance.now();
  const leave = () => {
    onSilence?.(openedAt);
    silence.abort(cut(`Nothing came from the server for ${silenceMs / 1000} s.`));
  };
  const listen = () => setTimeout(leave, silenceMs);
  let timer = listen();
  try {
    for await (const message of open(signal ? AbortSignal.any([signal, silence.signal]) : silence.signal)) {
      clearTimeout(timer);
      yield message;
      timer = listen();
    }
  } finally {
    clearTimeout(timer);
  }
}

/** No watch sets a deadline or cancels itself, so these too are the doing of a proxy or of a server that stops. */
const cutReasons: readonly string[] = [
  "UNAVAILABLE",
  "ENGINE_UNAVAILABLE",
  "STORAGE_UNAVAILABLE",
  "OVERLOADED",
  "DEADLINE",
  "CANCELLED",
];

function isCut(error: unknown): error is RunnerError {
  return error instanceof RunnerError && !error.isFinal && cutReasons.includes(error.reason);
}
