import type { Log } from "../../util/log.ts";
import type { Dashboard } from "./dashboard.ts";
import { DashboardError, type DashboardFault } from "./dashboard-error.ts";

const periodMs = 5000;

const certain: readonly DashboardFault[] = ["unreachable", "untrusted", "unauthorized"];

/** Asks a cluster now and then whether it is there, so that what is asked of it can be refused at once when it is not. */
export class ClusterHealth {
  readonly #dashboard: Dashboard;
  readonly #log: Log;
  readonly #timer: NodeJS.Timeout;
  readonly #closing = new AbortController();
  readonly #listeners: ((available: boolean) => void)[] = [];
  #asking: Promise<void> | undefined;
  #fault: DashboardError | undefined;
  #doubted = false;

  constructor(dashboard: Dashboard, log: Log) {
    this.#dashboard = dashboard;
    this.#log = log;
    this.#timer = setInterval(() => this.#ask(), periodMs).unref();
    this.#ask();
  }

  /** Throws ENGINE_UNAVAILABLE when the cluster did not answer the last time. */
  check(): void {
    if (this.#fault) throw this.#fault;
  }

  /** Tells a listener when the cluster goes away, and when it is there again; it is taken to be there at first. */
  onChange(listener: (available: boolean) => void): void {
    this.#listeners.push(listener);
  }

  async close(): Promise<void> {
    clearInterval(this.#timer);
    this.#closing.abort();
    await this.#asking;
  }

  #ask(): void {
    this.#asking ??= this.#askOnce().finally(() => {
      this.#asking = undefined;
    });
  }

  async #askOnce(): Promise<void> {
    const before = this.#fault?.fault;
    const found = await this.#findFault();
    if (this.#closing.signal.aborted) return;
    // A cluster with much to do may be late once.
    this.#fault = found && (certain.includes(found.fault) || this.#doubted) ? found : undefined;
    this.#doubted = found !== undefined;
    if (this.#fault?.fault === before) return;
    for (const listener of this.#listeners) listener(this.#fault === undefined);
    if (this.#fault) this.#log("warn", "the Ray cluster is away", { fault: this.#fault.fault, error: this.#fault });
    else this.#log("info", "the Ray cluster is there again", { address: this.#dashboard.origin });
  }

  async #findFault(): Promise<DashboardError | undefined> {
    try {
      await this.#dashboard.version(this.#closing.signal);
      return undefined;
    } catch (error) {
      if (error instanceof DashboardError) return error;
      if (this.#closing.signal.aborted) return undefined;
      return new DashboardError("unreachable", this.#dashboard.origin, "version", { cause: error });
    }
  }
}
