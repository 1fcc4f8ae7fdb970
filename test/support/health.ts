import { create, enumToJson, fromBinary, toBinary } from "@bufbuild/protobuf";
import { Client, credentials } from "@grpc/grpc-js";
import {
  HealthCheckRequestSchema,
  HealthCheckResponse_ServingStatusSchema,
  HealthCheckResponseSchema,
} from "../../gen/ts/health/v1/health_pb.ts";

/** What `grpc.health.v1.Health/Watch` says of a service, or of the whole server, as it changes. Ends with the iteration. */
export async function* watchHealth(address: string, service = ""): AsyncGenerator<unknown, void, undefined> {
  const client = new Client(address, credentials.createInsecure());
  const call = client.makeServerStreamRequest("/grpc.health.v1.Health/Watch", encode, decode, service);
  call.on("error", () => {});
  try {
    yield* call;
  } finally {
    call.cancel();
    client.close();
  }
}

function encode(service: string): Buffer {
  return Buffer.from(toBinary(HealthCheckRequestSchema, create(HealthCheckRequestSchema, { service })));
}

function decode(bytes: Buffer): unknown {
  const { status } = fromBinary(HealthCheckResponseSchema, bytes);
  return enumToJson(HealthCheckResponse_ServingStatusSchema, status);
}
