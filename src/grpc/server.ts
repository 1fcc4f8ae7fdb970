import { Server, type ServerCredentials, type UntypedServiceImplementation } from "@grpc/grpc-js";
import { Health } from "../../gen/ts/health/v1/health_pb.ts";
import { PluginRunner } from "../../gen/ts/pluginrunner/v1/plugin_runner_pb.ts";
import { serviceDefinition } from "./definition.ts";
import type { Health as HealthChecks } from "./health.ts";
import { callInterceptor } from "./interceptor.ts";
import type { OpenCalls } from "./open-calls.ts";
import { addReflection } from "./reflection.ts";

export interface GrpcServerOptions {
  /** Host and port; port 0 takes a free one. */
  address: string;
  credentials: ServerCredentials;
  implementation: UntypedServiceImplementation;
  health: HealthChecks;
  openCalls: OpenCalls;
  maxRequestBytes: number;
  /** For each connection. */
  maxConcurrentStreams: number;
}

/** The listening gRPC server, with health checks and reflection. */
export class GrpcServer {
  readonly address: string;
  readonly #server: Server;
  readonly #openCalls: OpenCalls;

  private constructor(address: string, server: Server, openCalls: OpenCalls) {
    this.address = address;
    this.#server = server;
    this.#openCalls = openCalls;
  }

  /** Listens; rejects when the address cannot be had. */
  static async listen(options: GrpcServerOptions): Promise<GrpcServer> {
    const server = new Server({
      "grpc.max_receive_message_length": options.maxRequestBytes,
      "grpc.max_send_message_length": -1,
      "grpc.max_concurrent_streams": options.maxConcurrentStreams,
      "grpc.keepalive_time_ms": 20_000,
      "grpc.keepalive_timeout_ms": 20_000,
      interceptors: [callInterceptor(options.openCalls, options.maxRequestBytes)],
    });
    server.addService(serviceDefinition(PluginRunner), options.implementation);
    options.health.addTo(server);
    addReflection(server, [PluginRunner, Health]);
    const port = await bind(server, options);
    return new GrpcServer(options.address.replace(/:\d+$/, `:${port}`), server, options.openCalls);
  }

  /**
   * Takes no new calls and waits until those under way were answered, or the signal aborts: connections that are left are
   * cut then. Those who watch health, or hold a stream of reflection, are not waited for.
   */
  close(signal: AbortSignal): Promise<void> {
    this.#openCalls.end((path) => !path.startsWith(`/${PluginRunner.typeName}/`));
    return new Promise((resolve) => {
      // A connection that is still being made is not among those that are cut, and would be waited for.
      const force = () => {
        this.#server.forceShutdown();
        resolve();
      };
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
