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

/**
 * The path of a JSON pointer that is the fragment of a URI, as references within a schema are. Undefined for every other
 * reference, such as `#anchor`. What is no escape stays as it is.
 */
export function fragmentPath(reference: string): string[] | undefined {
  if (reference !== "#" && !reference.startsWith("#/")) return undefined;
  return pointerPath(decoded(reference.slice(1)));
}

function decoded(fragment: string): string {
  try {
    return decodeURIComponent(fragment);
  } catch {
    return fragment;
  }
}
