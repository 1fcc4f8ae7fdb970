import { once } from "node:events";
import type { Writable } from "node:stream";
import { styleText } from "node:util";

type Style = Parameters<typeof styleText>[0];

/** Colours a text for a stream: only on a terminal, and not when NO_COLOR is set. */
export function paint(stream: Writable, style: Style, text: string): string {
  return isTerminal(stream) ? styleText(style, text, { stream }) : text;
}

/** Shows control characters instead of sending them: what a plugin writes cannot steer the terminal. */
export function neutral(text: string): string {
  return text.replaceAll(/[\p{Cc}\p{Bidi_Control}]/gu, (character) => {
    if (character === "\t" || character === "\n") return character;
    return `\\x${character.charCodeAt(0).toString(16).padStart(2, "0")}`;
  });
}

/** Cuts a text to a number of terminal columns. */
export function fit(text: string, columns: number): string {
  let used = 0;
  let fitting = "";
  for (const character of text) {
    used += widthOf(character);
    if (used > columns) return fitting;
    fitting += character;
  }
  return fitting;
}

export function isTerminal(stream: Writable): stream is Writable & { isTTY: true; columns?: number; rows?: number } {
  return "isTTY" in stream && stream.isTTY === true;
}

/** Writes a text and a line's end, and waits while the reader is behind. */
export async function print(stream: Writable, text: string): Promise<void> {
  if (!stream.write(`${text}\n`) && !stream.destroyed) await once(stream, "drain");
}

/** Scripts that are set in full width start at Hangul; counting too many columns does no harm. */
function widthOf(character: string): number {
  return (character.codePointAt(0) ?? 0) >= 0x1100 && !/[\u2000-\u2bff]/u.test(character) ? 2 : 1;
}
