import { endedWithServer, PluginRunnerError, shuttingDown } from "../errors.ts";
import { type LateLoad, needsLate } from "./late-load.ts";
import type { WorkerRequest, WorkerResult } from "./messages.ts";
import { NotStarted, type TakeLine, type WorkerProcess } from "./worker-process.ts";

/** Starts workers; each is bound already, or never needs to be. */
export interface WorkerSource<Key> {
  start(key: Key, signal: AbortSignal): Promise<WorkerProcess>;
}

export interface WorkerPoolOptions {
  /** How many workers there may be. */
  maxWorkers: number;
  /** How many of them may serve one key. */
  maxWorkersPerKey: number;
  /** How many requests a worker is sent before it has answered the first: more saves the way to and fro. */
  depth: number;
  /** How many requests may wait for a worker. */
  maxQueued: number;
  /** How long a worker without work is kept, in milliseconds. */
  idleMs: number;
}

/** How long requests for other keys may be preferred to the oldest one, to save starting a worker for it. */
const patienceMs = 1000;

interface Entry<Key> {
  group: Group<Key>;
  request: WorkerRequest;
  signal: AbortSignal;
  output: TakeLine | undefined;
  since: number;
  resolve(result: WorkerResult): void;
  reject(error: unknown): void;
}

interface Member {
  worker: WorkerProcess;
  idleSince: number;
}

/** The workers of one key, and the requests that wait for one. */
class Group<Key> {
  readonly key: Key;
  readonly members = new Set<Member>();
  readonly queue: Entry<Key>[] = [];
  starting = 0;

  constructor(key: Key) {
    this.key = key;
  }

  /** How many workers serve it or soon will. One that is to end what nobody waits for does not. */
  get serving(): number {
    let count = this.starting;
    for (const { worker } of this.members) if (!worker.stuck) count++;
    return count;
  }
}

/**
 * Keeps workers warm, grouped by the key that they are bound to (compared by identity). Requests wait in order; a group
 * grows while requests of its own wait, takes the place of the longest idle worker of another group when the pool is
 * full, and shrinks when idle.
 */
export class WorkerPool<Key extends object> {
  readonly #source: WorkerSource<Key>;
  readonly #options: WorkerPoolOptions;
  readonly #groups = new Map<Key, Group<Key>>();
  readonly #closing = new AbortController();
  readonly #sweep: NodeJS.Timeout;
  /** Whether the workers were killed that had not ended in time. */
  #killed = false;
  #workers = 0;
  #queued = 0;

  constructor(source: WorkerSource<Key>, options: WorkerPoolOptions) {
    this.#source = source;
    this.#options = options;
    this.#sweep = setInterval(() => this.#endIdle(), Math.min(options.idleMs, 10_000)).unref();
  }

  /** Runs one request on a worker of `key`. As `WorkerProcess.request`; OVERLOADED at once when too many wait. */
  request(key: Key, request: WorkerRequest, signal: AbortSignal, output?: TakeLine): Promise<WorkerResult> {
    if (signal.aborted) return Promise.reject(signal.reason);
    if (this.#killed) return Promise.reject(this.#closing.signal.reason);
    const group = this.#group(key);
    const member = group.queue.length === 0 ? this.#free(group) : undefined;
    if (member) return this.#send(group, member, request, signal, output);
    if (this.#closing.signal.aborted) return Promise.reject(this.#closing.signal.reason);
    if (this.#queued >= this.#options.maxQueued) return Promise.reject(overloaded(this.#options.maxQueued));
    return this.#enqueue(group, request, signal, output);
  }

  /**
   * Refuses what waits, lets what runs finish until the signal aborts, then ends every worker: what still runs rejects with
   * `lost`.
   */
  async close(signal: AbortSignal, lost = endedWithServer()): Promise<void> {
    clearInterval(this.#sweep);
    this.#closing.abort(shuttingDown());
    const groups = [...this.#groups.values()];
    for (const entry of groups.flatMap((group) => group.queue.splice(0))) entry.reject(this.#closing.signal.reason);
    this.#queued = 0;
    const workers = groups.flatMap((group) => [...group.members].map((member) => member.worker));
    const kill = () => {
      this.#killed = true;
      for (const worker of workers) worker.kill(lost);
    };
    for (const worker of workers) if (worker.load === 0) worker.end();
    signal.addEventListener("abort", kill, { once: true });
    if (signal.aborted) kill();
    await Promise.all(workers.map((worker) => worker.exited));
    signal.removeEventListener("abort", kill);
  }

  #group(key: Key): Group<Key> {
    const known = this.#groups.get(key);
    if (known) return known;
    const group = new Group(key);
    this.#groups.set(key, group);
    return group;
  }

  /** The least busy worker that may take one more. */
  #free(group: Group<Key>): Member | undefined {
    let best: Member | undefined;
    for (const member of group.members) {
      if (member.worker.load === 0) return member;
      if (member.worker.stuck) continue;
      if (member.worker.load < (best?.worker.load ?? this.#options.depth)) best = member;
    }
    return best;
  }

  #send(
    group: Group<Key>,
    member: Member,
    request: WorkerRequest,
    signal: AbortSignal,
    output: TakeLine | undefined,
  ): Promise<WorkerResult> {
    return member.worker.request(request, signal, output).catch((error: unknown) => {
      if (error instanceof NotStarted && !signal.aborted) return this.request(group.key, request, signal, output);
      const { late } = member.worker;
      if (late !== undefined && error === late.error) this.#failAlike(group, late);
      throw error;
    });
  }

  /** What could not be loaded for one will not load for those that wait behind it. */
  #failAlike(group: Group<Key>, late: LateLoad): void {
    const alike = group.queue.filter((entry) => needsLate(late, entry.request));
    for (const entry of alike) {
      group.queue.splice(group.queue.indexOf(entry), 1);
      this.#queued--;
      entry.reject(late.error);
    }
  }

  #enqueue(
    group: Group<Key>,
    request: WorkerRequest,
    signal: AbortSignal,
    output: TakeLine | undefined,
  ): Promise<WorkerResult> {
    const { promise, resolve, reject } = Promise.withResolvers<WorkerResult>();
    const entry: Entry<Key> = { group, request, signal, output, since: performance.now(), resolve, reject };
    const leave = () => {
      const at = group.queue.indexOf(entry);
      if (at < 0) return;
      group.queue.splice(at, 1);
      this.#queued--;
      this.#forget(group);
      reject(signal.reason);
    };
    group.queue.push(entry);
    this.#queued++;
    signal.addEventListener("abort", leave, { once: true });
    const forget = () => signal.removeEventListener("abort", leave);
    promise.then(forget, forget);
    this.#grow(group);
    return promise;
  }

  #answered(group: Group<Key>, member: Member): void {
    member.idleSince = performance.now();
    if (!member.worker.alive) {
      this.#left(group, member);
      return;
    }
    if (this.#closing.signal.aborted && member.worker.load === 0) member.worker.end();
    if (member.worker.load === 0 && group.serving > this.#options.maxWorkersPerKey) {
      this.#end(group, member); // another one took its place while it was stuck
      return;
    }
    this.#feed(group, member);
    if (member.worker.load === 0) this.#helpOthers();
  }

  /** Gives a worker the requests that wait for its group, unless another group has waited too long. */
  #feed(group: Group<Key>, member: Member): void {
    while (member.worker.load < this.#options.depth && !member.worker.stuck) {
      const entry = group.queue[0];
      if (!entry) return;
      const oldest = this.#oldest();
      const impatient = oldest && oldest.group !== group && performance.now() - oldest.since > patienceMs;
      if (impatient && oldest.group.starting === 0 && oldest.group.members.size === 0 && this.#full()) return;
      group.queue.shift();
      this.#queued--;
      this.#send(group, member, entry.request, entry.signal, entry.output).then(entry.resolve, entry.reject);
    }
  }

  /** Lets the group that waits longest grow, now that a worker is idle. */
  #helpOthers(): void {
    if (this.#queued === 0) return;
    const waiting = [...this.#groups.values()].filter((group) => group.queue.length > 0);
    waiting.sort((a, b) => (a.queue[0]?.since ?? 0) - (b.queue[0]?.since ?? 0));
    for (const group of waiting) this.#grow(group);
  }

  #oldest(): Entry<Key> | undefined {
    let oldest: Entry<Key> | undefined;
    for (const { queue } of this.#groups.values()) {
      if (queue[0] && queue[0].since < (oldest?.since ?? Number.POSITIVE_INFINITY)) oldest = queue[0];
    }
    return oldest;
  }

  #full(): boolean {
    return this.#workers >= this.#options.maxWorkers;
  }

  /** Starts a worker for a group whose requests wait, as far as the limits allow. */
  #grow(group: Group<Key>): void {
    if (group.starting >= group.queue.length) return;
    if (group.serving >= this.#options.maxWorkersPerKey) return;
    if (this.#full() && !this.#evict(group)) return;
    group.starting++;
    this.#workers++;
    this.#source.start(group.key, this.#closing.signal).then(
      (worker) => this.#join(group, worker),
      (error: unknown) => this.#failed(group, error),
    );
  }

  #join(group: Group<Key>, worker: WorkerProcess): void {
    group.starting--;
    const member: Member = { worker, idleSince: performance.now() };
    group.members.add(member);
    worker.onAnswer = () => this.#answered(group, member);
    worker.onStuck = () => this.#grow(group);
    worker.exited.then(() => this.#left(group, member));
    if (this.#closing.signal.aborted) {
      worker.kill();
      return;
    }
    this.#feed(group, member);
    if (group.queue.length > 0) this.#grow(group);
    else if (worker.load === 0) this.#helpOthers();
  }

  /** What could not be started for one will not start for those that wait beside it. */
  #failed(group: Group<Key>, error: unknown): void {
    group.starting--;
    this.#workers--;
    const waiting = group.members.size === 0 ? group.queue.splice(0) : [];
    this.#queued -= waiting.length;
    for (const entry of waiting) entry.reject(error);
    this.#forget(group);
    this.#helpOthers();
  }

  #left(group: Group<Key>, member: Member): void {
    if (!group.members.delete(member)) return;
    this.#workers--;
    this.#grow(group);
    this.#forget(group);
    this.#helpOthers();
  }

  /** Ends the longest idle worker of another group; false when there is none. */
  #evict(except: Group<Key>): boolean {
    let found: { group: Group<Key>; member: Member } | undefined;
    for (const group of this.#groups.values()) {
      if (group === except) continue;
      for (const member of group.members) {
        if (member.worker.load === 0 && member.idleSince < (found?.member.idleSince ?? Number.POSITIVE_INFINITY)) {
          found = { group, member };
        }
      }
    }
    if (!found) return false;
    this.#end(found.group, found.member);
    return true;
  }

  #end(group: Group<Key>, member: Member): void {
    group.members.delete(member);
    this.#workers--;
    this.#forget(group);
    member.worker.end();
  }

  #endIdle(): void {
    const before = performance.now() - this.#options.idleMs;
    for (const group of this.#groups.values()) {
      for (const member of group.members) {
        if (member.worker.load === 0 && member.idleSince < before) this.#end(group, member);
      }
    }
  }

  #forget(group: Group<Key>): void {
    const empty = group.members.size === 0 && group.queue.length === 0 && group.starting === 0;
    if (empty) this.#groups.delete(group.key);
  }
}

function overloaded(limit: number): PluginRunnerError {
  return new PluginRunnerError("OVERLOADED", `${limit} runs wait for a worker already; try again later.`, {
    metadata: { limit: "max_queued_runs", value: String(limit) },
    retryAfterMs: 1000,
  });
}
