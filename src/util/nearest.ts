import { closest, distance } from "fastest-levenshtein";

/** Words beyond this length are compared by nobody: the time grows with the square of it. */
const longestWord = 128;

/** The name that `word` was probably meant to be; empty when none is near. */
export function nearest(word: string, names: Iterable<string>): string {
  const candidates = [...names].filter((name) => name.length <= longestWord);
  if (candidates.length === 0 || word.length > longestWord) return "";
  const name = closest(word, candidates);
  return distance(word, name) <= Math.max(1, Math.min(word.length, name.length) / 2) ? name : "";
}

/** ` Did you mean "x"?` with the nearest name, or nothing when none is near. */
export function didYouMean(word: string, names: Iterable<string>): string {
  const name = nearest(word, names);
  return name === "" ? "" : ` Did you mean "${name}"?`;
}
