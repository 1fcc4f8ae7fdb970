import { Client, type Patience } from "./client.ts";
import { GrpcChannel, type TlsOptions } from "./grpc-channel.ts";

/** Where the service is. */
export interface ConnectOptions extends Patience {
  /** `host:port` or another name of gRPC's; default: PLUGIN_RUNNER_ADDRESS, then `127.0.0.1:50151`. */
  address?: string | undefined;
  /** Sent as bearer token; default: PLUGIN_RUNNER_TOKEN, then none. */
  token?: string | undefined;
  /** `true` for TLS with the system's certificate authorities; default: plain text. */
  tls?: boolean | TlsOptions | undefined;
  /** How long making a connection may take. Default: 10,000. */
  connectTimeoutMs?: number | undefined;
}

/** Connects to a service by gRPC; the connection is made by the first call. Close it with `close()` or `await using`. */
export function connect({ address, token, tls, connectTimeoutMs, ...patience }: ConnectOptions = {}): Client {
  const channel = new GrpcChannel({
    address: address || process.env.PLUGIN_RUNNER_ADDRESS || "127.0.0.1:50151",
    token: token ?? process.env.PLUGIN_RUNNER_TOKEN,
    tls: tls === true ? {} : tls || undefined,
    connectTimeoutMs,
  });
  return new Client(channel, patience);
}
