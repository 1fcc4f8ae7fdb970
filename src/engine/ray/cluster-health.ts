import type { Log } from "../../util/log.ts";
import type { EngineTrouble } from "../engine.ts";
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
  #since = new Date();
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

  /** What keeps the cluster from being used now; undefined when all is well. */
  get trouble(): EngineTrouble | undefined {
    const fault = this.#fault;
    return fault && { message: fault.message, metadata: fault.metadata, since: this.#since };
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
    this.#fault = found && (isCertain(found) || this.#doubted) ? found : undefined;
    this.#doubted = found !== undefined;
    if (this.#fault?.fault === before) return;
    if (before === undefined) this.#since = new Date();
    for (const listener of this.#listeners) listener(this.#fault === undefined);
    this.#tell();
  }

  /** That a cluster goes away is nothing to debug here: where the call broke is for who looks closer. */
  #tell(): void {
    const address = this.#dashboard.origin;
    if (!this.#fault) {
      this.#log("info", "the Ray cluster is there again", { address });
      return;
    }
    const { fault, message } = this.#fault;
    this.#log("warn", `the Ray cluster is away: ${message}`, { fault });
    this.#log("debug", "how the Ray cluster was found to be away", { error: this.#fault });
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

/** A dashboard that answers, if only through a proxy, may be well the next time. */
function isCertain(error: DashboardError): boolean {
  return certain.includes(error.fault) && (error.fault === "unauthorized" || !error.answered);
}
