import { misuse } from "./client-errors.ts";

/**
 * The header that a token is sent in; undefined without one. Throws, and never says the token, when a header cannot carry
 * it, for example with the line break at the end of a file.
 */
export function bearerOf(token: string | undefined): string | undefined {
  if (!token) return undefined;
  if (/[^\x20-\x7e]/.test(token)) throw misuse("/token", "has characters that a header cannot carry");
  return `Bearer ${token}`;
}
