export type LogLevel = "debug" | "info" | "warn" | "error";
export const logLevels = ["debug", "info", "warn", "error"] as const satisfies readonly LogLevel[];

/** What happened, and what a program may want to know of it. Values are never secrets: callers see to that. */
export type Log = (level: LogLevel, message: string, fields?: Readonly<Record<string, unknown>>) => void;

/**
 * Writes what is at least of `level` to standard error: a readable line, or JSON for machines. An error is told with its
 * stack at level `error`, where this program is at fault, and at every level when `level` is `debug`; what is only worth a
 * warning, such as a cluster that is away, says its message and those of its causes.
 * @param write default: to standard error
 */
export function stderrLog(
  level: LogLevel,
  format: "text" | "json",
  write: (line: string) => void = process.stderr.write.bind(process.stderr), // as it is now: runs may come to capture it
): Log {
  const least = logLevels.indexOf(level);
  return (of, message, fields = {}) => {
    if (logLevels.indexOf(of) < least) return;
    const time = new Date().toISOString();
    const shown = plain(fields, of === "error" || level === "debug" ? withStack : withoutStack);
    const line =
      format === "json"
        ? JSON.stringify({ time, level: of, message, ...shown })
        : `${time} ${of.padEnd(5)} ${message}${pairs(shown)}`;
    write(`${line}\n`);
  };
}

export const silentLog: Log = () => {};

function plain(fields: Readonly<Record<string, unknown>>, describe: (error: Error) => string): Record<string, unknown> {
  const shown = (value: unknown) => (value instanceof Error ? describe(value) : value);
  return Object.fromEntries(Object.entries(fields).map(([key, value]) => [key, shown(value)]));
}

/** An error may be its own cause, in however many steps. */
const maxCauses = 8;

/** An error with its causes: the innermost says most. */
function withStack(error: Error): string {
  return causesOf(error)
    .map((each) => (each instanceof Error ? (each.stack ?? String(each)) : String(each)))
    .join("\ncaused by ");
}

function withoutStack(error: Error): string {
  return causesOf(error)
    .map((each) => (each instanceof Error ? each.message : String(each)))
    .join(": ");
}

function causesOf(error: Error): unknown[] {
  const causes: unknown[] = [error];
  for (let at: unknown = error.cause; at !== undefined && causes.length < maxCauses; ) {
    causes.push(at);
    at = at instanceof Error ? at.cause : undefined;
  }
  return causes;
}

function pairs(fields: Record<string, unknown>): string {
  return Object.entries(fields)
    .map(([key, value]) => ` ${key}=${typeof value === "string" ? quoted(value) : JSON.stringify(value)}`)
    .join("");
}

function quoted(text: string): string {
  // JSON leaves the control characters beyond ASCII as they are, which may steer a terminal.
  return /^[\w./:@+-]+$/.test(text)
    ? text
    : JSON.stringify(text).replaceAll(/[\x7f-\x9f]/g, (found) => `\\u00${found.charCodeAt(0).toString(16)}`);
}
