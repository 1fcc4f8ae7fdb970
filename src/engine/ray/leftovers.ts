import { setTimeout as delay } from "node:timers/promises";
import { isObject } from "../../util/is-object.ts";
import type { Log } from "../../util/log.ts";
import { readJsonFile } from "../../util/small-file.ts";
import { writeWhole } from "../../util/write-whole.ts";
import type { Dashboard } from "./dashboard.ts";
import { DashboardError } from "./dashboard-error.ts";
import { deleteRecord } from "./delete-record.ts";
import { filesOf, hasEnded, isGhost, isOurs } from "./job-states.ts";
import { type NodeFiles, removeFiles } from "./remove-files.ts";

export interface LeftoversOptions {
  dashboard: Dashboard;
  /** Where they are remembered beyond this process. Default: nowhere. */
  file?: string | undefined;
  /** How often what is left is tried to be removed, in milliseconds. Default: 10 s. */
  periodMs?: number | undefined;
  log: Log;
}

const defaultPeriodMs = 10_000;
const recordPauseMs = 250;
const recordPatienceMs = 10_000;
const retryMs = 1000;

/**
 * What jobs that were deleted have on a cluster: their records, and after those their files on the nodes. It is removed when the cluster
 * can be reached, if need be by a later service.
 */
export class Leftovers {
  readonly #options: LeftoversOptions;
  readonly #closing = new AbortController();
  readonly #work = new Set<Promise<void>>();
  readonly #turns = new Map<string, Promise<void>>();
  #records = new Set<string>();
  #files: NodeFiles[] = [];
  #timer: NodeJS.Timeout | undefined;
  #sweeping = false;
  #written: Promise<void> = Promise.resolve();

  constructor(options: LeftoversOptions) {
    this.#options = options;
    this.#read();
    this.#timer = setInterval(() => this.#sweep(), options.periodMs ?? defaultPeriodMs).unref();
  }

  /** Removes the record of a job that was deleted, now where that can be done within seconds. */
  async add(rayId: string): Promise<void> {
    const { log } = this.#options;
    this.#records.add(rayId);
    await this.#write().catch((error: unknown) =>
      log("warn", "a job may stay on the Ray cluster", { job: rayId, error }),
    );
    const deleted = Promise.withResolvers<void>();
    const gone = this.#removeRecord(rayId, AbortSignal.timeout(recordPatienceMs), deleted.resolve);
    this.#track(gone);
    try {
      await Promise.race([deleted.promise, gone]);
    } catch (error) {
      log("warn", "a job's record stays on the Ray cluster for now", { job: rayId, error });
    }
  }

  /** Resolves once nothing is left under the id of a job that is to be started. */
  async settled(rayId: string, report: (detail: string) => void, signal: AbortSignal): Promise<void> {
    while (this.#records.has(rayId)) {
      report("removing what an earlier job of this id left on Ray");
      try {
        await this.#removeRecord(rayId, signal);
        await this.#written;
      } catch (error) {
        signal.throwIfAborted();
        if (!(error instanceof DashboardError)) throw error;
        await delay(retryMs, undefined, { signal });
      }
    }
  }

  async close(): Promise<void> {
    clearInterval(this.#timer);
    this.#closing.abort();
    await Promise.all(this.#work);
    await this.#written.catch(() => {});
  }

  /** One after the other, so that none meets a job that was started after it. */
  #removeRecord(rayId: string, signal: AbortSignal, deleted?: () => void): Promise<void> {
    const before = this.#turns.get(rayId)?.catch(() => {}) ?? Promise.resolve();
    const turn = before.then(async () => {
      if (this.#records.has(rayId))
        await this.#removeNow(rayId, AbortSignal.any([signal, this.#closing.signal]), deleted);
    });
    this.#turns.set(rayId, turn);
    return turn.finally(() => {
      if (this.#turns.get(rayId) === turn) this.#turns.delete(rayId);
    });
  }

  async #removeNow(rayId: string, signal: AbortSignal, deleted?: () => void): Promise<void> {
    const { dashboard } = this.#options;
    // A job says its last word a little before Ray knows that it has ended.
    let job = await dashboard.getJob(rayId, signal);
    while (job && isOurs(job) && !hasEnded(job)) {
      await delay(recordPauseMs, undefined, { signal });
      job = await dashboard.getJob(rayId, signal);
    }
    if (job && isOurs(job)) {
      const files = filesOf(job);
      const isKnown = this.#files.some((each) => each.files === files);
      if (job.nodeId !== "" && !isKnown) this.#files.push({ nodeId: job.nodeId, rayId, files });
      await this.#write();
    }
    if (job && (isOurs(job) || isGhost(job))) await deleteRecord(dashboard, rayId, signal, deleted);
    this.#records.delete(rayId);
    await this.#write();
  }

  #sweep(): void {
    if (this.#sweeping || (this.#records.size === 0 && this.#files.length === 0)) return;
    this.#sweeping = true;
    this.#track(
      this.#sweepOnce().finally(() => {
        this.#sweeping = false;
      }),
    );
  }

  async #sweepOnce(): Promise<void> {
    const { dashboard } = this.#options;
    // One that has not ended yet must not keep the others.
    for (const rayId of this.#records) this.#track(this.#removeRecord(rayId, AbortSignal.timeout(recordPatienceMs)));
    const asked = this.#files;
    if (asked.length === 0) return;
    const gone = new Set(await removeFiles(dashboard, asked, this.#closing.signal));
    this.#files = this.#files.filter((each) => !gone.has(each));
    await this.#write();
  }

  /** What cannot be done now is done later. */
  #track(work: Promise<void>): void {
    const failed = (error: unknown) => this.#options.log("debug", "deleted jobs have left something on Ray", { error });
    const tracked = work.catch(failed).finally(() => this.#work.delete(tracked));
    this.#work.add(tracked);
  }

  #write(): Promise<void> {
    const { file } = this.#options;
    if (file === undefined) return Promise.resolve();
    const write = () => writeWhole(file, JSON.stringify({ records: [...this.#records], files: this.#files }));
    this.#written = this.#written.then(write, write);
    return this.#written;
  }

  #read(): void {
    const { file, log } = this.#options;
    const found = file === undefined ? undefined : readJsonFile(file);
    if (!found) return;
    const { records, files } = "value" in found && isObject(found.value) ? found.value : {};
    if (!Array.isArray(records) || !Array.isArray(files)) {
      log("warn", "what deleted jobs left on the Ray cluster is not known: the file cannot be read", { file });
      return;
    }
    this.#records = new Set(records.filter((id) => typeof id === "string"));
    this.#files = files.filter(isNodeFiles);
  }
}

function isNodeFiles(value: unknown): value is NodeFiles {
  return isObject(value) && [value.nodeId, value.rayId, value.files].every((each) => typeof each === "string");
}
