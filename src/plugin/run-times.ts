/** What runs for longer tells nothing of who changed a file meanwhile. */
const longestMs = 60_000;

/** The time that a file was changed at comes from a coarse clock, and may be so much too early. */
const clockGrainMs = 12;

/** Runs of one action, one soon after the other. */
interface Span {
  readonly action: string;
  start: number;
  end: number;
}

/** What was known of the runs when the files began to be read. */
export interface RunsSoFar {
  /** In milliseconds since 1970. */
  readonly at: number;
  /** When the newest run began that had ended. By action. */
  readonly ended: ReadonlyMap<string, number>;
}

/** When runs of one plugin were under way. Times are in milliseconds since 1970, as those of files. */
export class RunTimes {
  readonly #open = new Set<Span>();
  #past: Span[] = [];
  readonly #ended = new Map<string, number>();

  /** Returns what is to be called when the run has ended. */
  begin(action: string): () => void {
    const run = { action, start: Date.now(), end: Number.POSITIVE_INFINITY };
    this.#open.add(run);
    return () => {
      this.#open.delete(run);
      run.end = Date.now() + 1;
      if (run.start > (this.#ended.get(action) ?? 0)) this.#ended.set(action, run.start);
      if (run.end - run.start <= longestMs) this.#keep(run);
    };
  }

  soFar(): RunsSoFar {
    return { at: Date.now(), ended: new Map(this.#ended) };
  }

  /** The actions of which a short run was under way at all of these times, that began after `after` and went on at `open`. */
  during(times: readonly number[], { after, open }: { after: number; open: number }): string[] {
    const now = Date.now();
    const runs = [...this.#past, ...[...this.#open].filter(({ start }) => now - start <= longestMs)];
    // What ended in the millisecond of `open` had ended: taking its file for somebody else's costs a start, no stale code.
    const covers = ({ start, end }: Span) =>
      start > after && end - 1 > open && times.every((time) => start - clockGrainMs <= time && time <= end);
    return [...new Set(runs.filter(covers).map(({ action }) => action))];
  }

  /** Forgets the runs that had ended then: all that they wrote was seen. */
  forget(before: number): void {
    if (this.#past.length > 0) this.#past = this.#past.filter(({ end }) => end >= before);
  }

  #keep(run: Span): void {
    const last = this.#past.at(-1);
    if (last?.action === run.action && run.start - clockGrainMs <= last.end) {
      last.start = Math.min(last.start, run.start);
      last.end = Math.max(last.end, run.end);
    } else this.#past.push(run);
  }
}

/** Whether a whole run of an action has passed since a file changed. */
export function hasPassed({ ended }: RunsSoFar, action: string, changedAt: number): boolean {
  return (ended.get(action) ?? 0) - clockGrainMs > changedAt;
}
