import { PluginRunnerError, requestInvalid } from "../errors.ts";

/** How long an answer is kept. */
const keptMs = 5 * 60_000;

/** How many answers, and how many bytes of them, a generation has before the next one begins. */
const maxGeneration = 5000;
const maxGenerationBytes = 32 * 1024 * 1024;

/** A run whose callers are all gone goes on for this long: a mesh that retries comes back at once. */
const lingerMs = 2000;

/** What a run says when nothing of it has started, so that a retry has to run it. */
const notStarted = new Set(["OVERLOADED", "ENGINE_UNAVAILABLE", "STORAGE_UNAVAILABLE", "PLUGIN_CHANGED"]);

interface Run {
  fingerprint: string;
  answer: Promise<Uint8Array>;
  controller: AbortController;
  callers: number;
  linger: NodeJS.Timeout | undefined;
}

interface Kept {
  fingerprint: string;
  since: number;
  answer: Uint8Array | PluginRunnerError;
}

/**
 * Runs what is asked for under one id once: a call that comes again joins the first, or gets its kept answer. Keeps an
 * answer for 5 minutes, or until 5,000 younger ones or 32 MiB of them have come.
 */
export class RunOnce {
  readonly #running = new Map<string, Run>();
  /** Two generations, so that old answers go all at once instead of one by one. */
  #young = new Map<string, Kept>();
  #old = new Map<string, Kept>();
  #youngBytes = 0;

  /** Rejects with the signal's reason as soon as it aborts, REQUEST_INVALID when the id stands for another content. */
  async run(
    id: string,
    fingerprint: string,
    start: (signal: AbortSignal) => Promise<Uint8Array>,
    signal: AbortSignal,
  ): Promise<Uint8Array> {
    const kept = this.#find(id);
    const known = kept ?? this.#running.get(id);
    if (known && known.fingerprint !== fingerprint) {
      throw requestInvalid("/request_id", "was used for a run with another content");
    }
    if (kept?.answer instanceof PluginRunnerError) throw kept.answer;
    if (kept) return kept.answer;
    return this.#join(id, this.#running.get(id) ?? this.#start(id, fingerprint, start), signal);
  }

  #find(id: string): Kept | undefined {
    const kept = this.#young.get(id) ?? this.#old.get(id);
    return kept && performance.now() - kept.since < keptMs ? kept : undefined;
  }

  #start(id: string, fingerprint: string, start: (signal: AbortSignal) => Promise<Uint8Array>): Run {
    const controller = new AbortController();
    const answer = start(controller.signal);
    const run: Run = { fingerprint, answer, controller, callers: 0, linger: undefined };
    this.#running.set(id, run);
    answer.then(
      (bytes) => this.#ended(id, run, bytes),
      (error: unknown) => this.#ended(id, run, PluginRunnerError.from(error)),
    );
    return run;
  }

  #ended(id: string, run: Run, answer: Kept["answer"]): void {
    clearTimeout(run.linger);
    if (this.#running.get(id) === run) this.#running.delete(id);
    if (run.controller.signal.aborted || (answer instanceof PluginRunnerError && notStarted.has(answer.reason))) return;
    if (this.#young.size >= maxGeneration || this.#youngBytes >= maxGenerationBytes) {
      this.#old = this.#young;
      this.#young = new Map();
      this.#youngBytes = 0;
    }
    const { fingerprint } = run;
    const since = performance.now();
    if (answer instanceof PluginRunnerError) {
      this.#young.set(id, { fingerprint, since, answer });
    } else {
      this.#youngBytes += answer.length;
      // A small copy shares its memory with others, where thousands of their own would weigh on the garbage collector.
      this.#young.set(id, { fingerprint, since, answer: Buffer.from(answer) });
    }
  }

  #join(id: string, run: Run, signal: AbortSignal): Promise<Uint8Array> {
    clearTimeout(run.linger);
    run.callers++;
    return new Promise((resolve, reject) => {
      const leave = () => {
        run.callers--;
        if (run.callers === 0) run.linger = setTimeout(() => this.#abandon(id, run, signal.reason), lingerMs);
        reject(signal.reason);
      };
      if (signal.aborted) return leave();
      signal.addEventListener("abort", leave, { once: true });
      run.answer.then(
        (bytes) => {
          signal.removeEventListener("abort", leave);
          resolve(bytes);
        },
        (error: unknown) => {
          signal.removeEventListener("abort", leave);
          reject(error);
        },
      );
    });
  }

  #abandon(id: string, run: Run, reason: unknown): void {
    this.#running.delete(id);
    run.controller.abort(reason);
  }
}
