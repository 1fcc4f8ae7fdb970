import type { Server } from "@grpc/grpc-js";
import { HealthImplementation } from "grpc-health-check";
import { PluginRunner } from "../../gen/ts/pluginrunner/v1/plugin_runner_pb.ts";

const service = PluginRunner.typeName;

/**
 * What `grpc.health.v1` says: of the whole server (the empty name) and of the service that they answer calls, and of each
 * mode, by names such as `pluginrunner.v1.PluginRunner/task`, that what carries it is there.
 */
export class Health {
  readonly #implementation: HealthImplementation;
  readonly #names: readonly string[];
  #leaving = false;

  constructor(modes: readonly string[]) {
    this.#names = ["", service, ...modes.map(nameOf)];
    this.#implementation = new HealthImplementation(Object.fromEntries(this.#names.map((name) => [name, "SERVING"])));
  }

  /** Adds the health service to a server. */
  addTo(server: Server): void {
    this.#implementation.addToServer(server);
  }

  /** Says whether modes can be used now. */
  setAvailable(modes: readonly string[], available: boolean): void {
    if (this.#leaving) return;
    for (const mode of modes) this.#implementation.setStatus(nameOf(mode), available ? "SERVING" : "NOT_SERVING");
  }

  /** Says for good that new calls should go elsewhere. */
  announceLeaving(): void {
    this.#leaving = true;
    for (const name of this.#names) this.#implementation.setStatus(name, "NOT_SERVING");
  }
}

function nameOf(mode: string): string {
  return `${service}/${mode}`;
}
