import { UsageError } from "./usage-error.ts";

/** The only argument of a verb; `what` names it in the error. */
export function oneArgument(positionals: readonly string[], what: string): string {
  const [only, extra] = positionals;
  if (only === undefined || only === "") throw new UsageError(`Name the ${what}.`);
  if (extra !== undefined) throw new UsageError(`Unexpected argument: ${extra}. One ${what} at a time.`);
  return only;
}
