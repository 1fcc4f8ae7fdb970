/** A text that UTF-8 can say: half a surrogate pair is shown as its escape, for example \ud800. */
export function wellFormed(text: string): string {
  if (text.isWellFormed()) return text;
  return text.replace(/\p{Surrogate}/gu, (half) => `\\u${half.charCodeAt(0).toString(16)}`);
}

/** A text for a value that JSON cannot carry, where nothing may fail: in logs, metrics and metadata. */
export function shownText(value: unknown): string {
  if (typeof value === "function") return `[function ${wellFormed(value.name)}]`;
  try {
    return wellFormed(String(value));
  } catch {
    return "[unreadable]"; // a toString of its author that throws
  }
}
