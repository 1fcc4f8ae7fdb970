import { type Timestamp, timestampMs } from "@bufbuild/protobuf/wkt";
import { neutral } from "./terminal.ts";

/** Rows as left-aligned columns below a heading. */
export function columns(heading: readonly string[], rows: readonly (readonly string[])[]): string[] {
  const cells = [heading, ...rows.map((row) => row.map((cell) => neutral(cell).replaceAll(/\s+/g, " ")))];
  const widths = heading.map((_, column) => Math.max(...cells.map((row) => row[column]?.length ?? 0)));
  return cells.map((row) =>
    row
      .map((cell, column) => cell.padEnd(widths[column] ?? 0))
      .join("  ")
      .trimEnd(),
  );
}

/** `850ms`, `12s`, `3m05s`, `2h10m`, `4d2h`. */
export function duration(ms: number): string {
  if (ms < 1000) return `${Math.round(ms)}ms`;
  const seconds = Math.round(ms / 1000);
  const [minutes, hours, days] = [Math.floor(seconds / 60), Math.floor(seconds / 3600), Math.floor(seconds / 86_400)];
  if (minutes === 0) return `${seconds}s`;
  if (hours === 0) return `${minutes}m${String(seconds % 60).padStart(2, "0")}s`;
  return days === 0 ? `${hours}h${String(minutes % 60).padStart(2, "0")}m` : `${days}d${hours % 24}h`;
}

/** Local time to the second; empty when there is none. */
export function time(timestamp: Timestamp | undefined): string {
  if (!timestamp) return "";
  const date = new Date(timestampMs(timestamp));
  return new Date(date.getTime() - date.getTimezoneOffset() * 60_000).toISOString().slice(0, 19).replace("T", " ");
}
