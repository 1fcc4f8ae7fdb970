const millisecondsPer: Readonly<Record<string, number>> = { ms: 1, s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000 };

const mibPer: Readonly<Record<string, number>> = {
  KB: 1000 / 2 ** 20,
  KIB: 2 ** -10,
  KI: 2 ** -10,
  MB: 1e6 / 2 ** 20,
  MIB: 1,
  MI: 1,
  GB: 1e9 / 2 ** 20,
  GIB: 1024,
  GI: 1024,
  TB: 1e12 / 2 ** 20,
  TIB: 1024 ** 2,
  TI: 1024 ** 2,
};

/** Milliseconds of a duration: a number of seconds, or text such as "90s", "1.5h", "2d". Undefined when it is neither. */
export function parseDuration(value: unknown): number | undefined {
  if (typeof value === "number") return value * 1000;
  return typeof value === "string" ? parse(value, millisecondsPer) : undefined;
}

/** MiB, rounded up, of text such as "2GiB" or "500 MB". Undefined when it is not such a text. */
export function parseMemory(value: unknown): number | undefined {
  const mib = typeof value === "string" ? parse(value.toUpperCase(), mibPer) : undefined;
  return mib === undefined ? undefined : Math.ceil(mib);
}

function parse(text: string, factors: Readonly<Record<string, number>>): number | undefined {
  const [, amount = "", unit = ""] = /^([\d.]+)\s?([A-Za-z]+)$/.exec(text) ?? [];
  const factor = factors[unit];
  return factor === undefined || amount === "" ? undefined : Number(amount) * factor;
}
