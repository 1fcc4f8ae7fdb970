import {
  create,
  type DescMessage,
  type DescMethodServerStreaming,
  type DescMethodUnary,
  type MessageInitShape,
  type MessageShape,
} from "@bufbuild/protobuf";
import {
  type handleServerStreamingCall,
  type handleUnaryCall,
  Server,
  ServerCredentials,
  type ServerErrorResponse,
  type status,
  type UntypedServiceImplementation,
} from "@grpc/grpc-js";
import type { JobEventSchema } from "../../gen/ts/pluginrunner/v1/job_event_pb.ts";
import type { JobSchema } from "../../gen/ts/pluginrunner/v1/job_pb.ts";
import { PluginRunner } from "../../gen/ts/pluginrunner/v1/plugin_runner_pb.ts";
import { PluginRunnerError } from "../../src/errors.ts";
import { toCallStatus } from "../../src/grpc/call-status.ts";
import { serviceDefinition } from "../../src/grpc/definition.ts";

/** A status without details, as a proxy or a broken connection makes it. */
export class BareStatus extends Error {
  readonly code: status;
  constructor(code: status, details = "from a proxy") {
    super(details);
    this.code = code;
  }
}

/** What a test's server answers to one RPC. */
export function unary<I extends DescMessage, O extends DescMessage>(
  method: DescMethodUnary<I, O>,
  answer: (request: MessageShape<I>, call: { token: string | undefined }) => Promise<MessageInitShape<O>>,
): UntypedServiceImplementation {
  const handler: handleUnaryCall<MessageShape<I>, MessageShape<O>> = (call, callback) => {
    const token = call.metadata.get("authorization")[0]?.toString();
    answer(call.request, { token }).then(
      (init) => callback(null, create(method.output, init)),
      (error) => callback(statusOf(error)),
    );
  };
  return { [method.localName]: handler };
}

/** What a test's server streams; `signal` aborts when the client has left. */
export function streaming<I extends DescMessage, O extends DescMessage>(
  method: DescMethodServerStreaming<I, O>,
  answer: (request: MessageShape<I>, signal: AbortSignal) => AsyncIterable<MessageInitShape<O>>,
): UntypedServiceImplementation {
  const handler: handleServerStreamingCall<MessageShape<I>, MessageShape<O>> = async (call) => {
    const gone = new AbortController();
    call.on("cancelled", () => gone.abort());
    try {
      for await (const init of answer(call.request, gone.signal)) call.write(create(method.output, init));
      call.end();
    } catch (error) {
      call.emit("error", statusOf(error));
    }
  };
  return { [method.localName]: handler };
}

/** A server that does what no real one can be made to do: cuts streams, skips events, stays silent. */
export async function fakeServer(handlers: readonly UntypedServiceImplementation[], port = 0) {
  const server = new Server();
  server.addService(serviceDefinition(PluginRunner), Object.assign({}, ...handlers));
  const bound = Promise.withResolvers<number>();
  server.bindAsync(`127.0.0.1:${port}`, ServerCredentials.createInsecure(), (error, chosen) =>
    error ? bound.reject(error) : bound.resolve(chosen),
  );
  const chosen = await bound.promise;
  return {
    port: chosen,
    address: `127.0.0.1:${chosen}`,
    [Symbol.dispose]: () => server.forceShutdown(),
  };
}

/** A snapshot of a job as both streams send it. */
export function snapshot(value: MessageInitShape<typeof JobSchema>) {
  return { update: { case: "snapshot" as const, value } };
}

/** Log events with consecutive sequences; `result` as message makes the job's last one. */
export function events(first: number, ...messages: string[]) {
  const value = { events: messages.map((message, index) => event(BigInt(first + index), message)) };
  return { update: { case: "events" as const, value } };
}

export const heartbeat = { update: { case: "heartbeat" as const, value: {} } };

export const reconnect = { update: { case: "reconnect" as const, value: {} } };

/** A stream that is refused before its first message. */
export function refused(error: Error): () => never {
  return () => {
    throw error;
  };
}

/** Never resolves before the client has left. */
export function untilGone(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => signal.addEventListener("abort", () => resolve()));
}

function event(sequence: bigint, message: string): MessageInitShape<typeof JobEventSchema> {
  if (message === "result") return { sequence, payload: { case: "result", value: {} } };
  return { sequence, payload: { case: "log", value: { message } } };
}

function statusOf(error: unknown): ServerErrorResponse {
  if (error instanceof BareStatus) return Object.assign(error, { details: error.message });
  return Object.assign(new Error(), toCallStatus(PluginRunnerError.from(error)));
}
