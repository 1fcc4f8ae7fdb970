import type { Log, LogLevel } from "./log.ts";

interface Trouble {
  since: number;
  toldAt: number;
  times: number;
  /** Those who have met it and did not say yet that it is over for them. */
  who: Set<string>;
}

/**
 * Logs what goes wrong again and again until it is mended, such as work that is tried again while a disk is full: one line
 * when it begins, one in each interval (milliseconds; default: a minute) while it is met, and one when it is over for all
 * who met it.
 */
export class Troubles {
  readonly #log: Log;
  readonly #intervalMs: number;
  readonly #now: () => number;
  readonly #kinds = new Map<string, Trouble>();

  constructor(log: Log, intervalMs = 60_000, now: () => number = Date.now) {
    this.#log = log;
    this.#intervalMs = intervalMs;
    this.#now = now;
  }

  /** Something failed. `kind` is what has the same cause, whoever meets it; `who` is one of those, for example a job. */
  met(
    kind: string,
    who: string,
    level: LogLevel,
    message: string,
    fields: Readonly<Record<string, unknown>> = {},
  ): void {
    const now = this.#now();
    const known = this.#kinds.get(kind);
    const trouble = known ?? { since: now, toldAt: now, times: 0, who: new Set<string>() };
    this.#kinds.set(kind, trouble);
    trouble.who.add(who);
    trouble.times++;
    if (known !== undefined && now - trouble.toldAt < this.#intervalMs) return;
    trouble.toldAt = now;
    this.#log(level, message, known === undefined ? fields : { ...fields, ...told(trouble, now) });
  }

  /** For one of those who met it, it is over; the last one's word is logged. Without a trouble nothing happens. */
  over(kind: string, who: string, message: string, fields: Readonly<Record<string, unknown>> = {}): void {
    const trouble = this.#kinds.get(kind);
    if (!trouble?.who.delete(who) || trouble.who.size > 0) return;
    this.#kinds.delete(kind);
    this.#log("info", message, { ...fields, ...told(trouble, this.#now()) });
  }
}

function told({ since, times }: Trouble, now: number) {
  return { times, for_s: Math.round((now - since) / 1000) };
}
