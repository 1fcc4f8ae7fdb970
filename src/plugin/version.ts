const numerically = new Intl.Collator("en", { numeric: true });

/** Orders versions: numbers by value, a pre-release before its release (`1.10.0` > `1.9.0` > `1.9.0-rc.1`). */
export function compareVersions(a: string, b: string): number {
  const [left, right] = [split(a), split(b)];
  for (let index = 0; index < Math.max(left.numbers.length, right.numbers.length); index++) {
    const difference = (left.numbers[index] ?? 0) - (right.numbers[index] ?? 0);
    if (difference !== 0) return difference;
  }
  if ((left.rest === "") !== (right.rest === "")) return left.rest === "" ? 1 : -1;
  return numerically.compare(left.rest, right.rest);
}

/** What follows a `+` is no part of the order. */
function split(version: string): { numbers: number[]; rest: string } {
  const [, numbers = "", rest = ""] = /^v?((?:\d+\.)*\d+)?[-.]?([^+]*)/.exec(version) ?? [];
  return { numbers: numbers.split(".").map(Number), rest };
}
