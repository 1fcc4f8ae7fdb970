import { parseDuration } from "./option-values.ts";
import { UsageError } from "./usage-error.ts";

/**
 * A time as people write it: a duration like `2h` before now, `now`, `today` and `yesterday` (their first moment), a date,
 * or a date and time. What names no zone is local time.
 */
export function readTime(flag: string, text: string, now = new Date()): Date {
  const word = text.trim().toLowerCase();
  if (word === "now") return now;
  if (word === "today") return startOfDay(now, 0);
  if (word === "yesterday") return startOfDay(now, -1);
  if (/^(\d+(\.\d+)?(ms|s|m|h|d))+$/.test(word)) {
    const past = new Date(now.getTime() - parseDuration(word));
    if (past.getFullYear() > 1) return past;
  }
  // A date alone is midnight in UTC for `Date`, and local with a time: https://tc39.es/ecma262/#sec-date-time-string-format.
  const date = /^\d{4}-\d\d-\d\d$/.test(word) ? `${word}T00:00` : text.trim().replace(" ", "T");
  const found = /^\d{4}-\d\d-\d\dT\d\d:\d\d/i.test(date) ? new Date(date) : new Date(Number.NaN);
  if (!Number.isNaN(found.getTime()) && isDay(date.slice(0, 10))) return found;
  throw new UsageError(
    `${flag}: expected a time like 2h, yesterday, 2026-11-28 or 2026-11-28T09:30, not ${JSON.stringify(text)}.`,
  );
}

/** `Date` takes February 30 for March 2. */
function isDay(day: string): boolean {
  return new Date(day).toISOString().startsWith(day);
}

function startOfDay(now: Date, days: number): Date {
  return new Date(now.getFullYear(), now.getMonth(), now.getDate() + days);
}
