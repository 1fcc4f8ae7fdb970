import type { DescMessage, DescMethodServerStreaming, DescMethodUnary, MessageShape } from "@bufbuild/protobuf";
import { create } from "@bufbuild/protobuf";
import { AnySchema } from "@bufbuild/protobuf/wkt";
import { Code, ConnectError, type Transport } from "@connectrpc/connect";
import { createConnectTransport } from "@connectrpc/connect-web";
import { type Status, StatusSchema } from "../../gen/ts/google/rpc/status_pb.ts";
import { bearerOf } from "../grpc/bearer.ts";
import type { Channel } from "../grpc/channel.ts";
import { closedError, localError, type RunnerError } from "../grpc/client-errors.ts";
import { fromFailedCall } from "../grpc/failed-call.ts";
import { maxTimerMs } from "../util/timer.ts";

/** A channel of what browsers have: `fetch`, by the Connect protocol. */
export class WebChannel implements Channel {
  readonly address: string;
  readonly #transport: Transport;
  readonly #headers: Record<string, string>;
  readonly #closing = new AbortController();

  constructor(baseUrl: string, token: string | undefined) {
    this.address = baseUrl;
    this.#transport = createConnectTransport({ baseUrl, useBinaryFormat: true });
    const authorization = bearerOf(token);
    this.#headers = authorization ? { authorization } : {};
  }

  async unary<I extends DescMessage, O extends DescMessage>(
    method: DescMethodUnary<I, O>,
    request: MessageShape<I>,
    signal?: AbortSignal,
    timeoutMs = maxTimerMs,
  ): Promise<MessageShape<O>> {
    const end = this.#endWith(signal);
    const timeout = timeoutMs < maxTimerMs ? timeoutMs : undefined;
    try {
      return (await this.#transport.unary(method, end, timeout, this.#headers, request)).message;
    } catch (error) {
      throw this.#failed(error, end);
    }
  }

  async *stream<I extends DescMessage, O extends DescMessage>(
    method: DescMethodServerStreaming<I, O>,
    request: MessageShape<I>,
    signal?: AbortSignal,
  ): AsyncGenerator<MessageShape<O>, void, undefined> {
    // `fetch` goes on while a body is not read: only the signal ends it.
    const left = new AbortController();
    const end = this.#endWith(signal);
    try {
      const both = AbortSignal.any([end, left.signal]);
      const { message } = await this.#transport.stream(method, both, undefined, this.#headers, only(request));
      yield* message;
    } catch (error) {
      throw this.#failed(error, end);
    } finally {
      left.abort();
    }
  }

  close(): void {
    this.#closing.abort(closedError());
  }

  #endWith(signal: AbortSignal | undefined): AbortSignal {
    const end = signal ? AbortSignal.any([signal, this.#closing.signal]) : this.#closing.signal;
    end.throwIfAborted();
    return end;
  }

  #failed(error: unknown, end: AbortSignal): RunnerError {
    if (end.aborted) return end.reason;
    if (!(error instanceof ConnectError))
      return localError("The call failed in this client; see the error's cause.", error);
    const { code, rawMessage: message } = error;
    const details = statusOf(error);
    // `fetch` says nothing of why it failed; what no server has answered is UNAVAILABLE, as it is in gRPC.
    const unanswered = !error.isWireError && code === Code.Unknown;
    return fromFailedCall({ code: unanswered ? Code.Unavailable : code, message, details, cause: error }, this.address);
  }
}

/** The details as gRPC has them. */
function statusOf({ code, rawMessage: message, details }: ConnectError): Status {
  const packed = details.flatMap((detail) =>
    "type" in detail ? [create(AnySchema, { typeUrl: `type.googleapis.com/${detail.type}`, value: detail.value })] : [],
  );
  return create(StatusSchema, { code, message, details: packed });
}

async function* only<T>(message: T): AsyncGenerator<T, void, undefined> {
  yield message;
}
