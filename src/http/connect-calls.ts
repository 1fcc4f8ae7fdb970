import { type DescMessage, fromBinary, type MessageShape, toJson } from "@bufbuild/protobuf";
import { type Any, anyUnpack } from "@bufbuild/protobuf/wkt";
import { Code, ConnectError, type HandlerContext } from "@connectrpc/connect";
import {
  BadRequestSchema,
  DebugInfoSchema,
  ErrorInfoSchema,
  RetryInfoSchema,
} from "../../gen/ts/google/rpc/error_details_pb.ts";
import { JobErrorSchema } from "../../gen/ts/pluginrunner/v1/job_pb.ts";
import type { PluginRunnerError } from "../errors.ts";
import { type Admission, callerGone } from "../grpc/admission.ts";
import type { StreamHandler, UnaryHandler } from "../grpc/call.ts";
import type { Encodable } from "../grpc/definition.ts";
import type { OpenCall, OpenCalls } from "../grpc/open-calls.ts";
import { toStatus } from "../grpc/status.ts";

/** Wraps handlers for Connect: the same admission, the same errors and the same reasons to abort as in gRPC. */
export class ConnectCalls {
  readonly #admission: Admission;
  readonly #openCalls: OpenCalls;

  constructor(admission: Admission, openCalls: OpenCalls) {
    this.#admission = admission;
    this.#openCalls = openCalls;
  }

  readonly unary = <Req, Res extends DescMessage>(output: Res, handler: UnaryHandler<Req, Encodable<Res>>) => {
    return async (request: Req, context: HandlerContext): Promise<MessageShape<Res>> => {
      const caller = abortWithCaller(context);
      const left = context.timeoutMs();
      const deadline = left === undefined ? undefined : Date.now() + left;
      const { promise: ended, reject } = Promise.withResolvers<never>();
      const own = this.#open(context, reject);
      try {
        this.#admission.enter("unary", authorizationOf(context));
        try {
          const answer = handler(request, { signal: caller.signal, deadline });
          return decoded(output, await Promise.race([answer, ended]));
        } finally {
          this.#admission.leave("unary");
        }
      } catch (thrown) {
        throw this.#error(thrown, context);
      } finally {
        this.#openCalls.delete(own);
      }
    };
  };

  readonly stream = <Req, Res extends DescMessage>(output: Res, handler: StreamHandler<Req, Encodable<Res>>) => {
    const admission = this.#admission;
    const openCalls = this.#openCalls;
    const errorOf = (thrown: unknown, context: HandlerContext) => this.#error(thrown, context);
    const open = (context: HandlerContext, end: OpenCall["end"]) => this.#open(context, end);
    return async function* (request: Req, context: HandlerContext): AsyncGenerator<MessageShape<Res>, void, undefined> {
      const caller = abortWithCaller(context);
      const { readable, writable } = new TransformStream<Encodable<Res>, Encodable<Res>>();
      const writer = writable.getWriter();
      const own = open(context, (error) => void writer.abort(error));
      try {
        admission.enter("stream", authorizationOf(context));
        try {
          for await (const message of sent(handler, request, caller, { readable, writer }))
            yield decoded(output, message);
        } finally {
          admission.leave("stream");
        }
      } catch (thrown) {
        throw errorOf(thrown, context);
      } finally {
        openCalls.delete(own);
      }
    };
  };

  #open(context: HandlerContext, end: OpenCall["end"]): OpenCall {
    const call = { path: pathOf(context), end };
    this.#openCalls.add(call);
    return call;
  }

  #error(thrown: unknown, context: HandlerContext): ConnectError {
    return connectError(this.#admission.errorOf(thrown, pathOf(context)));
  }
}

/** An error of this service as Connect sends it, with its details. */
export function connectError(error: PluginRunnerError): ConnectError {
  const { code, message, details } = toStatus(error);
  const found = new ConnectError(message, code);
  found.details = details.map(outgoing);
  return found;
}

/** The details that this service sends. */
const detailSchemas = [ErrorInfoSchema, BadRequestSchema, DebugInfoSchema, RetryInfoSchema, JobErrorSchema];

/** A detail, and beside its bytes what they say, for those who read the answer as JSON: https://connectrpc.com/docs/protocol#error-end-stream. */
function outgoing(any: Any) {
  const type = any.typeUrl.slice(any.typeUrl.lastIndexOf("/") + 1);
  const schema = detailSchemas.find(({ typeName }) => typeName === type);
  const message = schema && anyUnpack(any, schema);
  return { type, value: any.value, ...(message && { debug: toJson(schema, message) }) };
}

/** What a handler writes and the call reads. */
interface Pipe<Message> {
  readable: ReadableStream<Message>;
  writer: WritableStreamDefaultWriter<Message>;
}

/** What a handler sends, one message at a time as they are taken. The handler is aborted when the iteration is left. */
async function* sent<Req, Message>(
  handler: StreamHandler<Req, Message>,
  request: Req,
  caller: AbortController,
  { readable, writer }: Pipe<Message>,
): AsyncGenerator<Message, void, undefined> {
  const ended = handler(request, { signal: caller.signal }, (message) => writer.write(message)).then(
    () => writer.close(),
    (thrown: unknown) => writer.abort(thrown),
  );
  try {
    for await (const message of readable) yield message;
  } finally {
    caller.abort(callerGone(false));
    // The reader has left or was told already.
    await ended.catch(() => {});
  }
}

/** Aborts when the call is cut or its time is up, with the reason that a caller of gRPC would see. */
function abortWithCaller({ signal }: HandlerContext): AbortController {
  const controller = new AbortController();
  const abort = () => {
    const { reason } = signal;
    controller.abort(callerGone(reason instanceof ConnectError && reason.code === Code.DeadlineExceeded));
  };
  signal.addEventListener("abort", abort, { once: true });
  if (signal.aborted) abort();
  return controller;
}

function pathOf({ url }: HandlerContext): string {
  return new URL(url).pathname;
}

function authorizationOf({ requestHeader }: HandlerContext): string | undefined {
  return requestHeader.get("authorization") ?? undefined;
}

function decoded<Desc extends DescMessage>(desc: Desc, message: Encodable<Desc>): MessageShape<Desc> {
  return message instanceof Uint8Array ? fromBinary(desc, message) : message;
}
