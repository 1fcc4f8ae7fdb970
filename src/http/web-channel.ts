import type { DescMessage, DescMethodServerStreaming, DescMethodUnary, MessageShape } from "@bufbuild/protobuf";
import { create } from "@bufbuild/protobuf";
import { AnySchema } from "@bufbuild/protobuf/wkt";
import { Code, ConnectError, type Transport } from "@connectrpc/connect";
import { createConnectTransport } from "@connectrpc/connect-web";
import { type Status, StatusSchema } from "../../gen/ts/google/rpc/status_pb.ts";
import { PluginRunner } from "../../gen/ts/pluginrunner/v1/plugin_runner_pb.ts";
import { bearerOf } from "../grpc/bearer.ts";
import type { Channel } from "../grpc/channel.ts";
import { closedError, ExecutionError, localError, misuse, type RunnerError } from "../grpc/client-errors.ts";
import { fromFailedCall } from "../grpc/failed-call.ts";
import { maxTimerMs } from "../util/timer.ts";
import { takeWatchSlot } from "./watch-slots.ts";

/** Calls whose streams last as long as somebody watches. */
const watches: readonly string[] = [
  PluginRunner.method.watchJob.name,
  PluginRunner.method.watchJobs.name,
  PluginRunner.method.watchRun.name,
];

/** How long a server may take to show that it is there. */
const probeMs = 3000;

/** A channel of what browsers have: `fetch`, by the Connect protocol. */
export class WebChannel implements Channel {
  readonly address: string;
  readonly #transport: Transport;
  readonly #headers: Record<string, string>;
  readonly #closing = new AbortController();
  /** The origin of the page that this runs in; undefined outside pages. */
  readonly #page: string | undefined;
  /** Whether a call was answered: the page's origin is allowed then. */
  #answered = false;

  constructor(baseUrl: string, token: string | undefined, page: string | undefined) {
    if (!URL.canParse(baseUrl) || !/^https?:$/.test(new URL(baseUrl).protocol)) {
      throw misuse("/baseUrl", `is ${baseUrl}, and has to be a URL like http://127.0.0.1:8080`);
    }
    this.address = baseUrl;
    this.#page = page;
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
      const { message } = await this.#transport.unary(method, end, timeout, this.#headers, request);
      this.#answered = true;
      return message;
    } catch (error) {
      throw await this.#failed(error, end);
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
    const release = await this.#slotFor(method, end);
    try {
      const both = AbortSignal.any([end, left.signal]);
      const { message } = await this.#transport.stream(method, both, undefined, this.#headers, only(request));
      this.#answered = true;
      yield* message;
    } catch (error) {
      throw await this.#failed(error, end);
    } finally {
      left.abort();
      release?.();
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

  /** With TLS, all calls share one connection. */
  async #slotFor(method: DescMethodServerStreaming, end: AbortSignal): Promise<(() => void) | undefined> {
    const { protocol, origin } = new URL(this.address);
    if (this.#page === undefined || protocol === "https:" || !watches.includes(method.name)) return undefined;
    return takeWatchSlot(origin, end);
  }

  async #failed(error: unknown, end: AbortSignal): Promise<unknown> {
    if (end.aborted) return end.reason;
    if (!(error instanceof ConnectError))
      return localError("The call failed in this client; see the error's cause.", error);
    const { code, rawMessage: message } = error;
    const details = statusOf(error);
    // `fetch` says nothing of why it failed; what no server has answered is UNAVAILABLE, as it is in gRPC.
    const unanswered = !error.isWireError && code === Code.Unknown;
    if (unanswered && (await this.#refusesPage(end))) return this.#refused(error);
    if (end.aborted) return end.reason;
    if (details.details.length > 0) this.#answered = true;
    return fromFailedCall({ code: unanswered ? Code.Unavailable : code, message, details, cause: error }, this.address);
  }

  /**
   * Whether a server that `fetch` failed at is there: browsers do not tell a page that its origin was refused, but let it
   * see whether a request that it may not read is answered. One that has answered this page before is down instead.
   */
  async #refusesPage(end: AbortSignal): Promise<boolean> {
    if (this.#answered || this.#page === undefined || new URL(this.address).origin === this.#page) return false;
    const signal = AbortSignal.any([end, AbortSignal.timeout(probeMs)]);
    try {
      await fetch(this.address, { mode: "no-cors", credentials: "omit", cache: "no-store", signal });
      return true;
    } catch {
      return false;
    }
  }

  #refused(cause: unknown): RunnerError {
    return new ExecutionError({
      reason: "FORBIDDEN",
      code: Code.PermissionDenied,
      message:
        `${this.address} is there, and does not let pages of ${this.#page} call it: start the service with ` +
        `--http-allow-origin ${this.#page}.`,
      metadata: { address: this.address, origin: this.#page ?? "" },
      isFinal: true,
      cause,
    });
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
