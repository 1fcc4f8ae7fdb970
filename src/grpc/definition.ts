import { type DescMessage, type DescService, fromBinary, type MessageShape, toBinary } from "@bufbuild/protobuf";
import type { MethodDefinition, ServiceDefinition } from "@grpc/grpc-js";
import { PluginRunnerError } from "../errors.ts";

/** A message, or its encoding: one that goes to many callers is encoded once. */
export type Encodable<Desc extends DescMessage> = MessageShape<Desc> | Uint8Array;

/**
 * Describes a service of protobuf-es to grpc-js. Methods keep the names of protobuf-es (`runPlugin`); handlers and
 * callers give and get protobuf-es messages.
 */
export function serviceDefinition(service: DescService): ServiceDefinition {
  const methods: Record<string, MethodDefinition<unknown, unknown>> = {};
  for (const method of service.methods) {
    methods[method.localName] = {
      path: `/${service.typeName}/${method.name}`,
      requestStream: method.methodKind === "client_streaming" || method.methodKind === "bidi_streaming",
      responseStream: method.methodKind === "server_streaming" || method.methodKind === "bidi_streaming",
      requestSerialize: serializer(method.input),
      requestDeserialize: requestDeserializer(method.input),
      responseSerialize: serializer(method.output),
      responseDeserialize: deserializer(method.output),
      originalName: method.localName,
    };
  }
  return methods;
}

function serializer<Desc extends DescMessage>(desc: Desc) {
  return (value: unknown): Buffer => {
    if (Buffer.isBuffer(value)) return value;
    const bytes = value instanceof Uint8Array ? value : toBinary(desc, value as MessageShape<Desc>);
    return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  };
}

function deserializer<Desc extends DescMessage>(desc: Desc) {
  return (bytes: Uint8Array): MessageShape<Desc> => fromBinary(desc, bytes);
}

/** Returns the error for bytes that are no such message: what is thrown here grpc-js answers itself, without details. */
function requestDeserializer<Desc extends DescMessage>(desc: Desc) {
  return (bytes: Uint8Array): MessageShape<Desc> | PluginRunnerError => {
    try {
      return fromBinary(desc, bytes);
    } catch (cause) {
      return new PluginRunnerError("REQUEST_INVALID", `The request is not a ${desc.name}, or is nested too deep.`, {
        violations: [{ field: "", description: `is not a ${desc.name}`, rule: "encoding" }],
        metadata: { message: desc.name },
        cause,
      });
    }
  };
}
