import type { handleServerStreamingCall, handleUnaryCall, ServerUnaryCall, ServerWritableStream } from "@grpc/grpc-js";
import { PluginRunnerError } from "../errors.ts";
import { type Admission, callerGone } from "./admission.ts";
import { type CallStatus, toCallStatus } from "./call-status.ts";

/** What a handler gets besides the request. */
export interface CallContext {
  /** Aborts with CANCELLED when the caller is gone, with DEADLINE when its time is up. */
  readonly signal: AbortSignal;
  /** When the caller's time is up, in milliseconds since 1970; absent where that is never. */
  readonly deadline?: number | undefined;
}

/** What unary and streaming calls have in common. */
type Call = Pick<
  ServerUnaryCall<unknown, unknown>,
  "cancelled" | "metadata" | "getDeadline" | "getPath" | "on" | "off"
>;
export type UnaryHandler<Req, Res> = (request: Req, context: CallContext) => Promise<Res>;
export type StreamHandler<Req, Res> = (request: Req, context: CallContext, send: Send<Res>) => Promise<void>;

/** Sends one message of a stream. Returns what to wait for before the next one, if anything. */
export type Send<Message> = (message: Message) => Promise<void> | undefined;

/**
 * Wraps handlers for grpc-js, which by itself leaves a client waiting when a handler throws: every call is answered
 * exactly once, with a result or with the status of what was thrown.
 */
export class Calls {
  readonly #admission: Admission;

  constructor(admission: Admission) {
    this.#admission = admission;
  }

  readonly unary = <Req, Res>(handler: UnaryHandler<Req, Res>): handleUnaryCall<Req, Res> => {
    return (call, callback) => {
      this.#answer(call, handler).then(
        (response) => callback(null, response),
        (status: CallStatus) => callback(status),
      );
    };
  };

  readonly stream = <Req, Res>(handler: StreamHandler<Req, Res>): handleServerStreamingCall<Req, Res> => {
    return (call) => {
      this.#send(call, handler).then(
        () => call.end(),
        // grpc-js ends the call with what is emitted as an error.
        (status: CallStatus) => call.emit("error", status),
      );
    };
  };

  async #answer<Req, Res>(call: ServerUnaryCall<Req, Res>, handler: UnaryHandler<Req, Res>): Promise<Res> {
    const controller = abortWithCall(call);
    try {
      this.#admission.enter("unary", authorizationOf(call));
      try {
        return await handler(requestOf(call), { signal: controller.signal, deadline: deadlineOf(call) });
      } finally {
        this.#admission.leave("unary");
      }
    } catch (thrown) {
      throw this.#status(call, thrown);
    } finally {
      controller.done();
    }
  }

  async #send<Req, Res>(call: ServerWritableStream<Req, Res>, handler: StreamHandler<Req, Res>): Promise<void> {
    const controller = abortWithCall(call);
    try {
      this.#admission.enter("stream", authorizationOf(call));
      try {
        const { signal } = controller;
        const send = (message: Res) => (call.write(message) ? undefined : drained(call, signal));
        await handler(requestOf(call), { signal }, send);
      } finally {
        this.#admission.leave("stream");
      }
    } catch (thrown) {
      throw this.#status(call, thrown);
    } finally {
      controller.done();
    }
  }

  #status(call: Call, thrown: unknown): CallStatus {
    return toCallStatus(this.#admission.errorOf(thrown, call.getPath()));
  }
}

function authorizationOf({ metadata }: Call): string | undefined {
  return metadata.get("authorization")[0]?.toString();
}

/** The definition of the service gives an error for what could not be decoded. */
function requestOf<Req>({ request }: { request: Req }): Req {
  if (request instanceof PluginRunnerError) throw request;
  return request;
}

/** `cancelled` comes at the end of every call, also of one that ended well: `done` says that it means nothing more. */
function abortWithCall(call: Call): { signal: AbortSignal; done: () => void } {
  const controller = new AbortController();
  const abort = () => controller.abort(gone(call));
  call.on("cancelled", abort);
  if (call.cancelled) abort();
  return { signal: controller.signal, done: () => call.off("cancelled", abort) };
}

/** A caller's own timer may end its call a little before the deadline: timers of Node fire up to a millisecond early. */
const deadlineSlackMs = 10;

function gone(call: Call): PluginRunnerError {
  return callerGone(deadlineOf(call) <= Date.now() + deadlineSlackMs);
}

function deadlineOf(call: Call): number {
  const deadline = call.getDeadline();
  return typeof deadline === "number" ? deadline : deadline.getTime();
}

/** Waits until a stream takes more. Rejects with the signal's reason. */
function drained<Req, Res>(call: ServerWritableStream<Req, Res>, signal: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    const end = () => {
      call.off("drain", drain);
      signal.removeEventListener("abort", abort);
    };
    const drain = () => {
      end();
      resolve();
    };
    const abort = () => {
      end();
      reject(signal.reason);
    };
    if (signal.aborted) return abort();
    call.once("drain", drain);
    signal.addEventListener("abort", abort, { once: true });
  });
}
