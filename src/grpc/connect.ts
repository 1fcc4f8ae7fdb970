import { Client, type Patience } from "./client.ts";
import { GrpcChannel } from "./grpc-channel.ts";
import type { TlsOptions } from "./tls-options.ts";

/** Where the service is. */
export interface ConnectOptions extends Patience {
  /** `host:port` or another name of gRPC's; default: PLUGIN_RUNNER_ADDRESS, then `127.0.0.1:50151`. */
  address?: string | undefined;
  /** Sent as bearer token; default: PLUGIN_RUNNER_TOKEN, then none. */
  token?: string | undefined;
  /** `true` for TLS with the system's certificate authorities; default: plain text. */
  tls?: boolean | TlsOptions | undefined;
  /** How long making a connection may take. Default: 20,000. */
  connectTimeoutMs?: number | undefined;
}

/** Connects to a service by gRPC; the connection is made by the first call. Close it with `close()` or `await using`. */
export function connect({ address, token, tls, connectTimeoutMs, ...patience }: ConnectOptions = {}): NodeClient {
  const channel = new GrpcChannel({
    address: address || process.env.PLUGIN_RUNNER_ADDRESS || "127.0.0.1:50151",
    token: token ?? process.env.PLUGIN_RUNNER_TOKEN,
    tls: tls === true ? {} : tls || undefined,
    connectTimeoutMs,
  });
  return new NodeClient(channel, patience);
}

/** A client that `await using` closes: types of browsers do not know that yet, so it stands here. */
export class NodeClient extends Client implements AsyncDisposable {
  async [Symbol.asyncDispose](): Promise<void> {
    this.close();
  }
}
