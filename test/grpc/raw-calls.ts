import assert from "node:assert/strict";
import { once } from "node:events";
import { type ClientHttp2Session, type ClientHttp2Stream, connect } from "node:http2";
import {
  create,
  type DescMessage,
  type DescMethod,
  type DescMethodServerStreaming,
  type DescMethodUnary,
  type MessageInitShape,
  type MessageShape,
} from "@bufbuild/protobuf";
import { BinaryWriter, WireType } from "@bufbuild/protobuf/wire";
import { credentials, Client as GrpcClient, type ServiceError } from "@grpc/grpc-js";
import { ErrorInfoSchema } from "../../gen/ts/google/rpc/error_details_pb.ts";
import type { RunnerError } from "../../src/client.ts";
import { fromCallMetadata } from "../../src/grpc/call-status.ts";
import type { Channel } from "../../src/grpc/channel.ts";
import { GrpcChannel } from "../../src/grpc/grpc-channel.ts";
import { errorDomain, findDetail } from "../../src/grpc/status.ts";
import { collect, failure } from "../conformance/run.ts";

const runPath = "/pluginrunner.v1.PluginRunner/RunPlugin";

/** Calls that the client would never make: any message, and bytes that are none. */
export class RawCalls implements Disposable {
  readonly #channel: Channel;
  readonly #client: GrpcClient;

  constructor(address: string) {
    this.#channel = new GrpcChannel({ address, token: undefined, tls: undefined });
    // A connection of its own, that may break.
    this.#client = new GrpcClient(address, credentials.createInsecure(), { "grpc.use_local_subchannel_pool": 1 });
  }

  unary<I extends DescMessage, O extends DescMessage>(
    method: DescMethodUnary<I, O>,
    init: MessageInitShape<I>,
  ): Promise<MessageShape<O>> {
    return this.#channel.unary(method, create(method.input, init));
  }

  stream<I extends DescMessage, O extends DescMessage>(
    method: DescMethodServerStreaming<I, O>,
    init: MessageInitShape<I>,
  ): Promise<MessageShape<O>[]> {
    return collect(this.#channel.stream(method, create(method.input, init)));
  }

  /** Sends bytes as a request, and resolves with the bytes of the response or the error that it got. */
  send(bytes: Uint8Array, path = runPath): Promise<Buffer | ServiceError> {
    const { promise, resolve } = Promise.withResolvers<Buffer | ServiceError>();
    const asTheyAre = (buffer: Buffer) => buffer;
    this.#client.makeUnaryRequest(path, asTheyAre, asTheyAre, Buffer.from(bytes), (error, response?: Buffer) =>
      resolve(error ?? response ?? Buffer.alloc(0)),
    );
    return promise;
  }

  [Symbol.dispose](): void {
    this.#channel.close();
    this.#client.close();
  }
}

/** A call whose client may vanish, as one does that is killed: by and by nobody reads, and nothing was said. */
export class LonelyCall implements Disposable {
  readonly #session: ClientHttp2Session;
  readonly #stream: ClientHttp2Stream;

  constructor(address: string, method: DescMethod, request: Uint8Array) {
    this.#session = connect(`http://${address}`);
    const path = `/${method.parent.typeName}/${method.name}`;
    const headers = { ":method": "POST", ":path": path, "content-type": "application/grpc", te: "trailers" };
    this.#stream = this.#session.request(headers);
    for (const emitter of [this.#session, this.#stream]) emitter.on("error", () => {});
    const head = Buffer.alloc(5);
    head.writeUInt32BE(request.length, 1);
    this.#stream.end(Buffer.concat([head, request]));
  }

  /** Waits until the server has taken the call. */
  async sent(): Promise<void> {
    await once(this.#stream, "ready");
  }

  /** Waits for the first bytes of the answer. */
  async answered(): Promise<void> {
    await once(this.#stream, "data");
  }

  [Symbol.dispose](): void {
    this.#session.socket?.destroy();
    this.#session.destroy();
  }
}

/** The error of a call that the service refused, in words of its own: what goes wrong on the way there has a cause. */
export async function refusal(ending: Promise<unknown>): Promise<RunnerError> {
  const error = await failure(ending);
  assert.equal(error.cause, undefined);
  return error;
}

/** The same of bytes that were sent. */
export function expectDetails(error: ServiceError, reason: string): void {
  const details = fromCallMetadata(error.metadata);
  assert.ok(details, "no google.rpc.Status");
  assert.equal(details.code, error.code);
  const info = findDetail(details, ErrorInfoSchema);
  assert.deepEqual([info?.domain, info?.reason], [errorDomain, reason]);
}

export function isError(outcome: Buffer | ServiceError): outcome is ServiceError {
  return outcome instanceof Error;
}

/** An encoded `google.protobuf.Value` that is a Struct with one field. */
export function structWith(name: string, value: Uint8Array): Uint8Array {
  return message(5, fieldsOf(name, value));
}

/** An encoded `google.protobuf.Value` that is a number. */
export function numberValue(value: number): Uint8Array {
  return new BinaryWriter().tag(2, WireType.Bit64).double(value).finish();
}

/** An encoded `RunPluginRequest` with one param. */
export function runRequest(plugin: string, action: string, name: string, value: Uint8Array): Uint8Array {
  const head = new BinaryWriter().tag(1, WireType.LengthDelimited).string(plugin);
  head.tag(2, WireType.LengthDelimited).string(action);
  return Buffer.concat([head.finish(), message(3, fieldsOf(name, value))]);
}

/** An encoded `google.protobuf.Struct`. */
function fieldsOf(name: string, value: Uint8Array): Uint8Array {
  const key = new BinaryWriter().tag(1, WireType.LengthDelimited).string(name).finish();
  return message(1, Buffer.concat([key, message(2, value)]));
}

function message(field: number, bytes: Uint8Array): Uint8Array {
  return new BinaryWriter().tag(field, WireType.LengthDelimited).bytes(bytes).finish();
}
