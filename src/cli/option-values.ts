/** Texts of the command line as values. Each function throws a RangeError that says what was expected. */

const durationUnits: Record<string, number> = { ms: 1, s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000 };

const byteUnits: Record<string, number> = { B: 1, KiB: 1024, MiB: 1024 ** 2, GiB: 1024 ** 3 };

const booleans: Record<string, boolean> = {
  true: true,
  yes: true,
  on: true,
  1: true,
  false: false,
  no: false,
  off: false,
  0: false,
};

/** `500ms`, `30s`, `10m`, `2h`, `7d`, or a sum like `1h30m`, in milliseconds. */
export function parseDuration(text: string): number {
  if (!/^(\d+(\.\d+)?(ms|s|m|h|d))+$/.test(text))
    throw new RangeError("expected a duration like 500ms, 30s, 10m or 2h");
  const parts = text.matchAll(/([\d.]+)(ms|s|m|h|d)/g);
  return parts.reduce((sum, [, count = "", unit = ""]) => sum + Number(count) * (durationUnits[unit] ?? 0), 0);
}

/** `4096`, `64KiB`, `4MiB`, `1GiB`, in bytes. */
export function parseBytes(text: string): number {
  const [, count, unit = "B"] = /^(\d+(?:\.\d+)?)(B|KiB|MiB|GiB)?$/.exec(text) ?? [];
  if (count === undefined) throw new RangeError("expected a size like 4096, 64KiB or 4MiB");
  return Math.round(Number(count) * (byteUnits[unit] ?? 1));
}

export function parseNumber(text: string): number {
  const value = Number(text);
  if (text.trim() === "" || !Number.isFinite(value)) throw new RangeError("expected a number");
  return value;
}

export function parseInteger(text: string): number {
  if (!/^[+-]?\d+$/.test(text) || !Number.isSafeInteger(Number(text))) throw new RangeError("expected an integer");
  return Number(text);
}

export function parseBoolean(text: string): boolean {
  const value = Object.hasOwn(booleans, text.toLowerCase()) ? booleans[text.toLowerCase()] : undefined;
  if (value === undefined) throw new RangeError("expected true or false");
  return value;
}

/** `a,b` as `["a", "b"]`; blanks around the commas do not count. */
export function parseList(text: string): string[] {
  return text
    .split(",")
    .map((item) => item.trim())
    .filter((item) => item !== "");
}

/** `name=value`, the name not empty. */
export function parsePair(text: string): [name: string, value: string] {
  const at = text.indexOf("=");
  if (at < 1) throw new RangeError("expected NAME=VALUE");
  return [text.slice(0, at), text.slice(at + 1)];
}
