declare global {
  interface JSON {
    /** What `stringify` writes as it is: of ES2026, and in Node since 22. */
    rawJSON(text: string): object;
  }
}

/** The JSON text of a value, where `JSON.stringify` would write −0 as 0: here it is -0.0, which no reader takes for an integer. */
export function jsonText(value: unknown, indent?: number): string {
  return JSON.stringify(hasMinusZero(value) ? exact(value) : value, undefined, indent);
}

function hasMinusZero(value: unknown): boolean {
  if (typeof value === "number") return Object.is(value, -0);
  if (typeof value !== "object" || value === null) return false;
  if (Array.isArray(value)) return value.some(hasMinusZero);
  for (const key in value) if (hasMinusZero(Reflect.get(value, key))) return true;
  return false;
}

function exact(value: unknown): unknown {
  if (Object.is(value, -0)) return JSON.rawJSON("-0.0");
  if (typeof value !== "object" || value === null) return value;
  if (Array.isArray(value)) return value.map(exact);
  return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, exact(item)]));
}
