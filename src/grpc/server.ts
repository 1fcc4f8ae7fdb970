import { Server, type ServerCredentials, type UntypedServiceImplementation } from "@grpc/grpc-js";
import { Health } from "../../gen/ts/health/v1/health_pb.ts";
import { PluginRunner } from "../../gen/ts/pluginrunner/v1/plugin_runner_pb.ts";
import { serviceDefinition } from "./definition.ts";
import type { Health as HealthChecks } from "./health.ts";
import { addReflection } from "./reflection.ts";
import { requestSizeInterceptor } from "./request-size.ts";

export interface GrpcServerOptions {
  /** Host and port; port 0 takes a free one. */
  address: string;
  credentials: ServerCredentials;
  implementation: UntypedServiceImplementation;
  health: HealthChecks;
  maxRequestBytes: number;
  /** For each connection. */
  maxConcurrentStreams: number;
}

/** The listening gRPC server, with health checks and reflection. */
export class GrpcServer {
  readonly address: string;
  readonly #server: Server;

  private constructor(address: string, server: Server) {
    this.address = address;
    this.#server = server;
  }

  /** Listens; rejects when the address cannot be had. */
  static async listen(options: GrpcServerOptions): Promise<GrpcServer> {
    const server = new Server({
      "grpc.max_receive_message_length": options.maxRequestBytes,
      "grpc.max_send_message_length": -1,
      "grpc.max_concurrent_streams": options.maxConcurrentStreams,
      "grpc.keepalive_time_ms": 20_000,
      "grpc.keepalive_timeout_ms": 20_000,
      interceptors: [requestSizeInterceptor(options.maxRequestBytes)],
    });
    server.addService(serviceDefinition(PluginRunner), options.implementation);
    options.health.addTo(server);
    addReflection(server, [PluginRunner, Health]);
    const port = await bind(server, options);
    return new GrpcServer(options.address.replace(/:\d+$/, `:${port}`), server);
  }

  /** Takes no new calls and waits for those under way until the signal aborts; then ends them. */
  close(signal: AbortSignal): Promise<void> {
    return new Promise((resolve) => {
      const force = () => this.#server.forceShutdown();
      signal.addEventListener("abort", force, { once: true });
      this.#server.tryShutdown(() => {
        signal.removeEventListener("abort", force);
        resolve();
      });
      if (signal.aborted) force();
    });
  }
}

function bind(server: Server, { address, credentials }: GrpcServerOptions): Promise<number> {
  return new Promise((resolve, reject) => {
    server.bindAsync(address, credentials, (error, port) => (error ? reject(error) : resolve(port)));
  });
}
