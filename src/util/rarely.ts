import type { Log } from "./log.ts";

/** At most this many kinds of event are told apart; beyond, all further ones count as one. */
const maxKinds = 256;

/**
 * Logs events that strangers can cause as often as they like: of each kind the first, and then one line in each interval
 * (milliseconds; default: a minute) that says how many there were since.
 */
export function rarely(
  log: Log,
  intervalMs = 60_000,
  now: () => number = Date.now,
): (kind: string, ...line: Parameters<Log>) => void {
  const kinds = new Map<string, { since: number; more: number }>();
  return (kind, level, message, fields = {}) => {
    const key = kinds.has(kind) || kinds.size < maxKinds ? kind : "";
    const seen = kinds.get(key);
    if (seen !== undefined && now() - seen.since < intervalMs) {
      seen.more++;
      return;
    }
    kinds.set(key, { since: now(), more: 0 });
    log(level, message, seen === undefined || seen.more === 0 ? fields : { ...fields, more_before: seen.more });
  };
}
