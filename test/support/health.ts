import { Client, credentials } from "@grpc/grpc-js";

const words = ["UNKNOWN", "SERVING", "NOT_SERVING", "SERVICE_UNKNOWN"];

/** What `grpc.health.v1.Health/Watch` says of a server, as it changes. Ends with the iteration. */
export async function* watchHealth(address: string): AsyncGenerator<string | undefined, void, undefined> {
  const client = new Client(address, credentials.createInsecure());
  const call = client.makeServerStreamRequest("/grpc.health.v1.Health/Watch", encode, decode, null);
  call.on("error", () => {});
  try {
    yield* call;
  } finally {
    call.cancel();
    client.close();
  }
}

/** The request's only field names a service; absent, the whole server is meant. */
function encode(): Buffer {
  return Buffer.alloc(0);
}

/** The response's only field is an enum: tag, then value. */
function decode(bytes: Buffer): string | undefined {
  return words[bytes.at(1) ?? 0];
}
