import { type DescFile, type DescService, toBinary } from "@bufbuild/protobuf";
import { FileDescriptorProtoSchema } from "@bufbuild/protobuf/wkt";
import type { Server } from "@grpc/grpc-js";
import { ReflectionService } from "@grpc/reflection";
import { file_google_rpc_error_details } from "../../gen/ts/google/rpc/error_details_pb.ts";
import { file_google_rpc_status } from "../../gen/ts/google/rpc/status_pb.ts";

/**
 * Adds grpc.reflection v1 and v1alpha to a server, so that tools such as grpcurl need no proto files. What statuses carry
 * is part of it, so that they are shown readable. The descriptors are those that the code was generated with:
 * proto-loader, which the library would take, cannot reproduce `google.protobuf.Struct`.
 */
export function addReflection(server: Server, services: readonly DescService[]): void {
  const roots = [...services.map((service) => service.file), file_google_rpc_status, file_google_rpc_error_details];
  const files = new Set<DescFile>();
  for (const root of roots) collect(root, files);
  const fileDescriptorProtos = [...files].map((file) => Buffer.from(toBinary(FileDescriptorProtoSchema, file.proto)));
  const all: Definition = { format: "Protocol Buffer 3 EnumDescriptorProto", type: {}, fileDescriptorProtos };
  const options = { services: services.map((service) => service.typeName) };
  new ReflectionService({ all }, options).addToServer(server);
}

/** Of what proto-loader would say, the library reads the descriptors alone. */
type Definition = Extract<
  ConstructorParameters<typeof ReflectionService>[0][string],
  { format: "Protocol Buffer 3 EnumDescriptorProto" }
>;

function collect(file: DescFile, found: Set<DescFile>): void {
  if (found.has(file)) return;
  for (const dependency of file.dependencies) collect(dependency, found);
  found.add(file);
}
