import { Server, type ServerCredentials, type UntypedServiceImplementation } from "@grpc/grpc-js";
import { HealthImplementation } from "grpc-health-check";
import { PluginRunner } from "../../gen/ts/pluginrunner/v1/plugin_runner_pb.ts";
import { serviceDefinition } from "./definition.ts";
import { addReflection } from "./reflection.ts";

export interface GrpcServerOptions {
  /** Host and port; port 0 takes a free one. */
  address: string;
  credentials: ServerCredentials;
  implementation: UntypedServiceImplementation;
  maxRequestBytes: number;
  /** For each connection. */
  maxConcurrentStreams: number;
}

/** A name that stands for the whole server in `grpc.health.v1`. */
const wholeServer = "";

/** The listening gRPC server, with its health service. */
export class GrpcServer {
  readonly address: string;
  readonly #server: Server;
  readonly #health: HealthImplementation;

  private constructor(address: string, server: Server, health: HealthImplementation) {
    this.address = address;
    this.#server = server;
    this.#health = health;
  }

  /** Listens; rejects when the address cannot be had. */
  static async listen(options: GrpcServerOptions): Promise<GrpcServer> {
    const server = new Server({
      "grpc.max_receive_message_length": options.maxRequestBytes,
      "grpc.max_send_message_length": -1,
      "grpc.max_concurrent_streams": options.maxConcurrentStreams,
      "grpc.keepalive_time_ms": 20_000,
      "grpc.keepalive_timeout_ms": 20_000,
    });
    const health = new HealthImplementation({ [wholeServer]: "SERVING", [PluginRunner.typeName]: "SERVING" });
    server.addService(serviceDefinition(PluginRunner), options.implementation);
    health.addToServer(server);
    addReflection(server, [PluginRunner]);
    const port = await bind(server, options);
    return new GrpcServer(options.address.replace(/:\d+$/, `:${port}`), server, health);
  }

  /** Says that new calls should go elsewhere, while those that come are still answered. */
  announceLeaving(): void {
    this.#health.setStatus(wholeServer, "NOT_SERVING");
    this.#health.setStatus(PluginRunner.typeName, "NOT_SERVING");
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
