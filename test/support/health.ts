import { Client, credentials } from "@grpc/grpc-js";

const words = ["UNKNOWN", "SERVING", "NOT_SERVING", "SERVICE_UNKNOWN"];

/** What `grpc.health.v1.Health/Watch` says of a service, or of the whole server, as it changes. Ends with the iteration. */
export async function* watchHealth(address: string, service = ""): AsyncGenerator<string | undefined, void, undefined> {
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

/** The request's only field is a text: tag, length, bytes. */
function encode(service: string): Buffer {
  const bytes = Buffer.from(service);
  return Buffer.concat([Buffer.of(0x0a, bytes.length), bytes]);
}

/** The response's only field is an enum: tag, then value. */
function decode(bytes: Buffer): string | undefined {
  return words[bytes.at(1) ?? 0];
}
