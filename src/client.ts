/** The package's entry: the client of the service, its messages, and what plugins in TypeScript are written with. */

export * from "./grpc/client-api.ts";
export { type ConnectOptions, connect, NodeClient as Client } from "./grpc/connect.ts";
export type { TlsOptions } from "./grpc/tls-options.ts";
export * from "./runtime/index.ts";
