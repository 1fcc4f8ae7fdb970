import { PluginRunnerError, requestInvalid } from "../errors.ts";
import { type Answer, KeptAnswers, type KeptAnswersOptions } from "./kept-answers.ts";

/** A run whose callers are all gone goes on for this long: a mesh that retries comes back at once. */
const lingerMs = 2000;

/** What a run says when nothing of it has started, so that a retry has to run it. */
const notStarted = new Set(["OVERLOADED", "ENGINE_UNAVAILABLE", "STORAGE_UNAVAILABLE", "PLUGIN_CHANGED"]);

function hasNotStarted({ reason, metadata }: PluginRunnerError): boolean {
  return notStarted.has(reason) || (reason === "DEADLINE" && metadata.started === "false");
}

interface Run {
  fingerprint: string;
  answer: Promise<Uint8Array>;
  controller: AbortController;
  callers: number;
  linger: NodeJS.Timeout | undefined;
}

/**
 * Runs what is asked for under one id once: a call that comes again joins the first, or gets its kept answer, as long as
 * `KeptAnswers` knows of it.
 */
export class RunOnce {
  readonly #running = new Map<string, Run>();
  readonly #kept: KeptAnswers;

  constructor(options: KeptAnswersOptions) {
    this.#kept = new KeptAnswers(options);
  }

  /**
   * Rejects with the signal's reason as soon as it aborts, REQUEST_INVALID when the id stands for another content, DATA_LOSS
   * when the run has ended and its answer is no longer kept, OVERLOADED when no more ids can be remembered.
   */
  async run(
    id: string,
    fingerprint: string,
    start: (signal: AbortSignal) => Promise<Uint8Array>,
    signal: AbortSignal,
  ): Promise<Uint8Array> {
    const known = this.#kept.has(id) ? await this.#kept.get(id) : undefined;
    if (known === "gone") throw answerGone(id);
    const running = this.#running.get(id);
    if ((known ?? running ?? { fingerprint }).fingerprint !== fingerprint) {
      throw requestInvalid("/request_id", "was used for a run with another content");
    }
    if (known?.answer instanceof PluginRunnerError) throw known.answer;
    return known?.answer ?? this.#join(id, running ?? this.#start(id, fingerprint, start), signal);
  }

  /** Forgets all answers. */
  close(): Promise<void> {
    return this.#kept.close();
  }

  #start(id: string, fingerprint: string, start: (signal: AbortSignal) => Promise<Uint8Array>): Run {
    const fullForMs = this.#kept.fullForMs;
    if (fullForMs !== undefined) throw tooManyIds(fullForMs);
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

  #ended(id: string, run: Run, answer: Answer): void {
    clearTimeout(run.linger);
    if (this.#running.get(id) === run) this.#running.delete(id);
    if (run.controller.signal.aborted || (answer instanceof PluginRunnerError && hasNotStarted(answer))) return;
    this.#kept.keep(id, run.fingerprint, answer);
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

/** It may have changed things: nobody is served by running it again. */
function answerGone(requestId: string): PluginRunnerError {
  const message = `The run of request_id ${requestId} has ended, and its answer is no longer kept; it is not run again.`;
  return new PluginRunnerError("DATA_LOSS", message, { metadata: { request_id: requestId } });
}

function tooManyIds(retryAfterMs: number): PluginRunnerError {
  const message =
    "More request_ids have come than can be remembered; nothing was run. Try again later, or without one.";
  return new PluginRunnerError("OVERLOADED", message, { metadata: { limit: "request_ids" }, retryAfterMs });
}
