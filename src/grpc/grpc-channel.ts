import type { DescMessage, DescMethodServerStreaming, DescMethodUnary, MessageShape } from "@bufbuild/protobuf";
import { fromBinary, toBinary } from "@bufbuild/protobuf";
import {
  type ChannelOptions,
  connectivityState,
  credentials,
  Client as GrpcClient,
  Metadata,
  type ServiceError,
  status,
} from "@grpc/grpc-js";
import { maxTimerMs } from "../util/timer.ts";
import { bearerOf } from "./bearer.ts";
import { fromCallMetadata } from "./call-status.ts";
import type { Channel } from "./channel.ts";
import { fromFailedCall, localError, type RunnerError } from "./client-errors.ts";

/** Where the service is, and how to speak to it. */
export interface ChannelTarget {
  address: string;
  token: string | undefined;
  tls: TlsOptions | undefined;
  /** How long a connection may take, TLS and the first word of HTTP/2 included. Default: 10,000. */
  connectTimeoutMs?: number | undefined;
}

/** PEM texts; absent: the system's certificate authorities, and no certificate of one's own. */
export interface TlsOptions {
  ca?: string | Buffer;
  cert?: string | Buffer;
  key?: string | Buffer;
}

const channelOptions: ChannelOptions = {
  "grpc.max_receive_message_length": 16 * 1024 * 1024,
  "grpc.keepalive_time_ms": 20_000,
  "grpc.keepalive_timeout_ms": 20_000,
  "grpc.keepalive_permit_without_calls": 1,
  // Retries are this client's own: it knows what is safe to repeat.
  "grpc.enable_retries": 0,
  "grpc.initial_reconnect_backoff_ms": 100,
  "grpc.min_reconnect_backoff_ms": 100,
  // Less than the time for which calls are repeated, so that a server that has come back is found.
  "grpc.max_reconnect_backoff_ms": 500,
};

/** A connection of grpc-js that speaks protobuf-es messages. */
export class GrpcChannel implements Channel {
  readonly address: string;
  readonly #client: GrpcClient;
  readonly #metadata = new Metadata();
  readonly #connectTimeoutMs: number;
  #closed = false;

  constructor({ address, token, tls, connectTimeoutMs = 10_000 }: ChannelTarget) {
    const authorization = bearerOf(token);
    if (authorization) this.#metadata.set("authorization", authorization);
    this.address = address;
    this.#connectTimeoutMs = connectTimeoutMs;
    this.#client = new GrpcClient(address, tls ? tlsCredentials(tls) : credentials.createInsecure(), channelOptions);
  }

  async unary<I extends DescMessage, O extends DescMessage>(
    method: DescMethodUnary<I, O>,
    request: MessageShape<I>,
    signal?: AbortSignal,
    timeoutMs = maxTimerMs,
  ): Promise<MessageShape<O>> {
    this.#checkOpen(signal);
    const { promise, resolve, reject } = Promise.withResolvers<MessageShape<O>>();
    const answered = (error: ServiceError | null, response?: MessageShape<O>) => {
      signal?.removeEventListener("abort", abort);
      const silence = connecting();
      if (response) resolve(response);
      else reject(signal?.aborted ? signal.reason : (silence ?? this.#failed(error)));
    };
    const { path, encode, decode } = wire(method);
    const options = timeoutMs < maxTimerMs ? { deadline: Date.now() + timeoutMs } : {};
    const call = this.#client.makeUnaryRequest(path, encode, decode, request, this.#metadata, options, answered);
    const abort = () => call.cancel();
    const connecting = this.#limitConnecting(abort);
    signal?.addEventListener("abort", abort);
    return promise;
  }

  async *stream<I extends DescMessage, O extends DescMessage>(
    method: DescMethodServerStreaming<I, O>,
    request: MessageShape<I>,
    signal?: AbortSignal,
  ): AsyncGenerator<MessageShape<O>, void, undefined> {
    this.#checkOpen(signal);
    const { path, encode, decode } = wire(method);
    const call = this.#client.makeServerStreamRequest(path, encode, decode, request, this.#metadata, {});
    const abort = () => call.cancel();
    const connecting = this.#limitConnecting(abort);
    signal?.addEventListener("abort", abort);
    // An iteration that was left early no longer listens, and the CANCELLED of its own making would be unhandled.
    call.on("error", () => {});
    try {
      yield* call;
    } catch (error) {
      throw signal?.aborted ? signal.reason : (connecting() ?? this.#failed(error));
    } finally {
      connecting();
      signal?.removeEventListener("abort", abort);
      call.cancel();
    }
  }

  close(): void {
    this.#closed = true;
    this.#client.close();
  }

  #checkOpen(signal: AbortSignal | undefined): void {
    signal?.throwIfAborted();
    if (this.#closed) throw localError("This client is closed.");
  }

  /**
   * Ends a call whose connection takes too long: grpc-js itself waits without end for a host that takes it and is silent.
   * What is returned ends the limit, and says whether it was reached.
   */
  #limitConnecting(end: () => void): () => RunnerError | undefined {
    if (this.#state() === connectivityState.READY) return () => undefined;
    let late = false;
    const timer = setTimeout(() => {
      late = this.#state() === connectivityState.CONNECTING;
      if (late) end();
    }, this.#connectTimeoutMs);
    return () => {
      clearTimeout(timer);
      if (!late) return undefined;
      const message = `It did not answer within ${this.#connectTimeoutMs / 1000} s.`;
      return fromFailedCall({ code: status.UNAVAILABLE, message, details: undefined, cause: undefined }, this.address);
    };
  }

  #state(): connectivityState {
    return this.#client.getChannel().getConnectivityState(false);
  }

  #failed(error: unknown): RunnerError {
    if (isServiceError(error)) return fromServiceError(error, this.address);
    return localError("The call failed in this client; the error's cause says why.", error);
  }
}

/** The error that a call of grpc-js failed with. */
export function fromServiceError(error: ServiceError, address: string): RunnerError {
  const message = error.details.replace(/ Resolution note: $/, "");
  return fromFailedCall(
    { code: error.code, message, details: fromCallMetadata(error.metadata), cause: error },
    address,
  );
}

function tlsCredentials({ ca, cert, key }: TlsOptions) {
  return credentials.createSsl(pem(ca), pem(key), pem(cert));
}

function pem(text: string | Buffer | undefined): Buffer | null {
  return text === undefined ? null : Buffer.from(text);
}

function wire<I extends DescMessage, O extends DescMessage>(
  method: DescMethodUnary<I, O> | DescMethodServerStreaming<I, O>,
) {
  return {
    path: `/${method.parent.typeName}/${method.name}`,
    encode: (message: MessageShape<I>) => Buffer.from(toBinary(method.input, message)),
    decode: (bytes: Buffer): MessageShape<O> => fromBinary(method.output, bytes),
  };
}

function isServiceError(error: unknown): error is ServiceError {
  return error instanceof Error && "code" in error && "details" in error && "metadata" in error;
}
