import { escapePointer } from "./json.ts";

/** A JSON pointer (RFC 6901) to what `path` leads to. */
export function jsonPointer(path: readonly string[]): string {
  return path.map((step) => `/${escapePointer(step)}`).join("");
}

/** The opposite of `jsonPointer`. */
export function pointerPath(pointer: string): string[] {
  return pointer
    .split("/")
    .slice(1)
    .map((step) => step.replaceAll("~1", "/").replaceAll("~0", "~"));
}
