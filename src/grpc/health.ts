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
  readonly #hindrances = new Map<string, Set<string>>();
  #leaving = false;

  constructor(modes: readonly string[]) {
    this.#names = ["", service, ...modes.map(nameOf)];
    this.#implementation = new HealthImplementation(Object.fromEntries(this.#names.map((name) => [name, "SERVING"])));
  }

  /** Adds the health service to a server. */
  addTo(server: Server): void {
    this.#implementation.addToServer(server);
  }

  /** Says whether modes can be used now, as far as one part of the service knows, which `by` names. */
  setAvailable(modes: readonly string[], available: boolean, by: string): void {
    for (const mode of modes) {
      const hindrances = this.#hindrances.get(mode) ?? new Set();
      this.#hindrances.set(mode, hindrances);
      if (available) hindrances.delete(by);
      else hindrances.add(by);
      if (!this.#leaving)
        this.#implementation.setStatus(nameOf(mode), hindrances.size === 0 ? "SERVING" : "NOT_SERVING");
    }
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
