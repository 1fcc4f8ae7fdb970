import { setTimeout as delay } from "node:timers/promises";
import type { Dashboard } from "./dashboard.ts";
import type { RayJob } from "./dashboard-answers.ts";
import { DashboardError } from "./dashboard-error.ts";
import { hasEnded } from "./job-states.ts";

const shortestPauseMs = 250;
/** Each job that is looked at adds so much to the pause between two looks at one of them. */
const pausePerJobMs = 25;
const longestPauseMs = 10_000;
const firstRetryMs = 250;
const longestRetryMs = 5000;
/** A cluster that has just started may not know yet what it knows. */
const denials = 3;
/** A connection may hang where a call fails, and a call may fail once. */
const silences = 3;
const overPauseMs = 1000;

/** Asks for the state of jobs, the less often the more there are. */
export class JobLookups {
  readonly #dashboard: Dashboard;
  #followed = 0;

  constructor(dashboard: Dashboard) {
    this.#dashboard = dashboard;
  }

  /** Counts a job that is looked at, until the returned function is called. */
  follow(): () => void {
    this.#followed++;
    return () => {
      this.#followed--;
    };
  }

  /** Waits as long as is right between two looks at one job. */
  async pause(signal: AbortSignal, atLeastMs = shortestPauseMs): Promise<void> {
    const paced = Math.min(this.#followed * pausePerJobMs, longestPauseMs);
    await rest(Math.max(paced, atLeastMs), signal);
  }

  /**
   * The job; undefined when the cluster does not know it. Waits for a cluster that does not answer as it should, and
   * tells `report` what it waits for.
   */
  find(rayId: string, signal: AbortSignal, report?: (detail: string) => void): Promise<RayJob | undefined> {
    return this.#patiently((own) => this.#dashboard.getJob(rayId, own), signal, report);
  }

  /**
   * As `find` for a job that was there: undefined only when one session of the cluster, which is asked for its name each
   * time, denies it repeatedly.
   */
  async known(rayId: string, signal: AbortSignal): Promise<RayJob | undefined> {
    let denied = 0;
    for (let session = ""; ; ) {
      const job = await this.find(rayId, signal);
      if (job) return job;
      const asked = await this.#patiently((own) => this.#dashboard.version(own), signal);
      denied = asked.session === session ? denied + 1 : 1;
      if (denied === denials) return undefined;
      session = asked.session;
      await rest(1000, signal);
    }
  }

  /** Resolves when the job has ended, is not known, or the cluster could not tell for some time. */
  async over(rayId: string, signal: AbortSignal): Promise<void> {
    for (let failures = 0; failures < silences; ) {
      await this.pause(signal, overPauseMs);
      try {
        const job = await this.#dashboard.getJob(rayId, signal);
        if (!job || hasEnded(job)) return;
        failures = 0;
      } catch (error) {
        signal.throwIfAborted();
        if (!(error instanceof DashboardError)) throw error;
        failures++;
      }
    }
  }

  async #patiently<T>(
    ask: (signal: AbortSignal) => Promise<T>,
    signal: AbortSignal,
    report: (detail: string) => void = () => {},
  ): Promise<T> {
    for (let retryMs = firstRetryMs; ; retryMs = Math.min(retryMs * 2, longestRetryMs)) {
      try {
        return await ask(signal);
      } catch (error) {
        signal.throwIfAborted();
        if (!(error instanceof DashboardError)) throw error;
        report(`waiting for the Ray cluster: ${error.message}`);
        await rest(retryMs, signal);
      }
    }
  }
}

/** Rejects with the signal's reason. */
async function rest(ms: number, signal: AbortSignal): Promise<void> {
  await delay(ms, undefined, { signal }).catch(() => signal.throwIfAborted());
}
