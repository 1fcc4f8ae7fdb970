export type LogLevel = "debug" | "info" | "warn" | "error";
export const logLevels = ["debug", "info", "warn", "error"] as const satisfies readonly LogLevel[];

/** What happened, and what a program may want to know of it. Values are never secrets: callers see to that. */
export type Log = (level: LogLevel, message: string, fields?: Readonly<Record<string, unknown>>) => void;

/** Writes what is at least of `level` to standard error: a readable line, or JSON for machines. */
export function stderrLog(level: LogLevel, format: "text" | "json"): Log {
  const least = logLevels.indexOf(level);
  return (of, message, fields = {}) => {
    if (logLevels.indexOf(of) < least) return;
    const time = new Date().toISOString();
    const line =
      format === "json"
        ? JSON.stringify({ time, level: of, message, ...plain(fields) })
        : `${time} ${of.padEnd(5)} ${message}${pairs(plain(fields))}`;
    process.stderr.write(`${line}\n`);
  };
}

export const silentLog: Log = () => {};

function plain(fields: Readonly<Record<string, unknown>>): Record<string, unknown> {
  return Object.fromEntries(Object.entries(fields).map(([key, value]) => [key, describe(value)]));
}

/** An error with its causes: the innermost says most. */
function describe(value: unknown): unknown {
  if (!(value instanceof Error)) return value;
  const cause = value.cause === undefined ? "" : `\ncaused by ${String(describe(value.cause))}`;
  return `${value.stack ?? String(value)}${cause}`;
}

function pairs(fields: Record<string, unknown>): string {
  return Object.entries(fields)
    .map(([key, value]) => ` ${key}=${typeof value === "string" ? quoted(value) : JSON.stringify(value)}`)
    .join("");
}

function quoted(text: string): string {
  return /^[\w./:@+-]+$/.test(text) ? text : JSON.stringify(text);
}
