/** The package's entry for browsers: the client of the service over Connect, and its messages. */

export * from "./grpc/client-api.ts";
export { type ConnectOptions, connect } from "./http/connect.ts";
