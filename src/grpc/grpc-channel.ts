import type { DescMessage, DescMethodServerStreaming, DescMethodUnary, MessageShape } from "@bufbuild/protobuf";
import { fromBinary } from "@bufbuild/protobuf";
import {
  type ChannelCredentials,
  type ChannelOptions,
  connectivityState,
  credentials,
  Client as GrpcClient,
  Metadata,
  type ServiceError,
} from "@grpc/grpc-js";
import { abortable } from "../util/abortable.ts";
import { maxTimerMs } from "../util/timer.ts";
import { isLoopback, readAddress, type ServiceAddress } from "./address.ts";
import { bearerOf } from "./bearer.ts";
import { fromCallMetadata } from "./call-status.ts";
import type { Channel } from "./channel.ts";
import { closedError, localError, type RunnerError } from "./client-errors.ts";
import { connectionCause } from "./connection-cause.ts";
import { encodeRequest } from "./encode-request.ts";
import { fromFailedCall } from "./failed-call.ts";
import { readTls, type TlsFiles, type TlsOptions } from "./tls-options.ts";
import { maxMessageBytes, unanswered } from "./transport-error.ts";

/** Where the service is, and how to speak to it. */
export interface ChannelTarget {
  address: string;
  token: string | undefined;
  tls: TlsOptions | undefined;
  /** How long a connection may take, TLS and the first word of HTTP/2 included. Default: 20,000. */
  connectTimeoutMs?: number | undefined;
}

const channelOptions: ChannelOptions = {
  "grpc.max_receive_message_length": maxMessageBytes,
  "grpc.keepalive_time_ms": 20_000,
  "grpc.keepalive_timeout_ms": 20_000,
  "grpc.keepalive_permit_without_calls": 1,
  // Retries are this client's own: it knows what is safe to repeat.
  "grpc.enable_retries": 0,
  "grpc.initial_reconnect_backoff_ms": 100,
  "grpc.min_reconnect_backoff_ms": 100,
  // Less than the time for which calls are repeated, so that a server that has come back is found.
  "grpc.max_reconnect_backoff_ms": 500,
  // By default all clients of a process share a connection, also one that is dead.
  "grpc.use_local_subchannel_pool": 1,
};

/** A connection of grpc-js that speaks protobuf-es messages. */
export class GrpcChannel implements Channel {
  readonly address: string;
  readonly #address: ServiceAddress;
  readonly #tls: TlsFiles | undefined;
  #client: GrpcClient;
  #connectedAt = performance.now();
  readonly #metadata = new Metadata();
  readonly #connectTimeoutMs: number;
  /** Whether anything has answered yet: the settings of the connection fit then. */
  #answered = false;
  #closed = false;

  constructor({ address, token, tls, connectTimeoutMs = 20_000 }: ChannelTarget) {
    const authorization = bearerOf(token);
    if (authorization) this.#metadata.set("authorization", authorization);
    this.#address = readAddress(address);
    this.#tls = tls && readTls(tls);
    this.address = this.#address.target;
    this.#connectTimeoutMs = connectTimeoutMs;
    this.#client = this.#dial();
  }

  renew(before: number): void {
    // One that is still being made would never be there in time if it were begun anew.
    if (this.#closed || this.#connectedAt > before || this.#state() !== connectivityState.READY) return;
    const old = this.#client;
    this.#client = this.#dial();
    this.#connectedAt = performance.now();
    old.close(); // once its calls have ended
  }

  async unary<I extends DescMessage, O extends DescMessage>(
    method: DescMethodUnary<I, O>,
    request: MessageShape<I>,
    signal?: AbortSignal,
    timeoutMs = maxTimerMs,
  ): Promise<MessageShape<O>> {
    this.#checkOpen(signal);
    const { path, bytes, decode } = wire(method, request);
    const options = timeoutMs < maxTimerMs ? { deadline: Date.now() + timeoutMs } : {};
    const { promise, resolve, reject } = Promise.withResolvers<MessageShape<O>>();
    const answered = (error: ServiceError | null, response?: MessageShape<O>) =>
      response ? resolve(response) : reject(error);
    const call = this.#client.makeUnaryRequest(path, itself, decode, bytes, this.#metadata, options, answered);
    const limit = this.#limit(() => call.cancel(), signal);
    try {
      const response = await promise;
      this.#answered = true;
      return response;
    } catch (error) {
      throw await this.#failed(error, limit, signal);
    } finally {
      limit.end();
    }
  }

  async *stream<I extends DescMessage, O extends DescMessage>(
    method: DescMethodServerStreaming<I, O>,
    request: MessageShape<I>,
    signal?: AbortSignal,
  ): AsyncGenerator<MessageShape<O>, void, undefined> {
    this.#checkOpen(signal);
    const { path, bytes, decode } = wire(method, request);
    const call = this.#client.makeServerStreamRequest(path, itself, decode, bytes, this.#metadata, {});
    const limit = this.#limit(() => call.cancel(), signal);
    call.once("data", () => {
      this.#answered = true;
    });
    // An iteration that was left early no longer listens, and the CANCELLED of its own making would be unhandled.
    call.on("error", () => {});
    try {
      yield* call;
    } catch (error) {
      throw await this.#failed(error, limit, signal);
    } finally {
      limit.end();
      call.cancel();
    }
  }

  close(): void {
    this.#closed = true;
    this.#client.close();
  }

  #dial(): GrpcClient {
    return new GrpcClient(this.#address.target, credentialsOf(this.#tls), {
      ...channelOptions,
      // A proxy that the environment names for the rest of the world does not lead to this machine.
      ...(isLoopback(this.#address.host) && { "grpc.enable_http_proxy": 0 }),
    });
  }

  #checkOpen(signal: AbortSignal | undefined): void {
    signal?.throwIfAborted();
    if (this.#closed) throw closedError();
  }

  /**
   * Ends a call when its signal aborts, or when its connection takes too long: grpc-js itself waits without end for a host
   * that takes it and is silent.
   */
  #limit(cancel: () => void, signal: AbortSignal | undefined): CallLimit {
    let late = false;
    const wait = () => {
      late = this.#state() === connectivityState.CONNECTING;
      if (late) cancel();
    };
    const timer = this.#state() === connectivityState.READY ? undefined : setTimeout(wait, this.#connectTimeoutMs);
    signal?.addEventListener("abort", cancel);
    return {
      isLate: () => late,
      end: () => {
        clearTimeout(timer);
        signal?.removeEventListener("abort", cancel);
      },
    };
  }

  #state(): connectivityState {
    return this.#client.getChannel().getConnectivityState(false);
  }

  /** What a failed call means: its signal's reason where that ended it. */
  async #failed(error: unknown, limit: CallLimit, signal: AbortSignal | undefined): Promise<unknown> {
    if (signal?.aborted) return signal.reason;
    if (this.#closed) return closedError();
    if (limit.isLate()) {
      const seconds = this.#connectTimeoutMs / 1000;
      const message = `No answer from ${this.address} within ${seconds} s. It is silent: see that the address is the service's.`;
      return unanswered(this.address, message, { isFinal: !this.#answered });
    }
    if (!isServiceError(error)) return localError("The call failed in this client; the error's cause says why.", error);
    const found = fromServiceError(error, this.address);
    if (this.#answered || found.reason !== "UNAVAILABLE") return this.#heard(found);
    const cause = connectionCause(this.#address, this.#tls);
    const text = await (signal ? abortable(cause, signal).catch(() => undefined) : cause);
    if (signal?.aborted) return signal.reason;
    return text === undefined ? found : unanswered(this.address, text, { isFinal: true, cause: error });
  }

  #heard(error: RunnerError): RunnerError {
    if (error.reason !== "UNAVAILABLE") this.#answered = true;
    return error;
  }
}

/** What may end a call besides the server. */
interface CallLimit {
  /** Whether no connection came about in time. */
  isLate(): boolean;
  /** Takes the limit away again. */
  end(): void;
}

/** The error that a call of grpc-js failed with. */
export function fromServiceError(error: ServiceError, address: string): RunnerError {
  // As a cause it would be printed with 40 lines of the library's own frames and of the bytes of its headers.
  Object.defineProperty(error, "metadata", { enumerable: false });
  error.stack = `${error.name}: ${error.message}`;
  const message = error.details.replace(/ Resolution note: $/, "");
  return fromFailedCall(
    { code: error.code, message, details: fromCallMetadata(error.metadata), cause: error },
    address,
  );
}

function credentialsOf(tls: TlsFiles | undefined): ChannelCredentials {
  return tls ? credentials.createSsl(tls.ca, tls.key, tls.cert) : credentials.createInsecure();
}

/** Requests are encoded before the call, so that what cannot be encoded is the caller's own error. */
function itself(bytes: Buffer): Buffer {
  return bytes;
}

function wire<I extends DescMessage, O extends DescMessage>(
  method: DescMethodUnary<I, O> | DescMethodServerStreaming<I, O>,
  request: MessageShape<I>,
) {
  return {
    path: `/${method.parent.typeName}/${method.name}`,
    bytes: encodeRequest(method.input, request),
    decode: (bytes: Buffer): MessageShape<O> => fromBinary(method.output, bytes),
  };
}

function isServiceError(error: unknown): error is ServiceError {
  return error instanceof Error && "code" in error && "details" in error && "metadata" in error;
}
