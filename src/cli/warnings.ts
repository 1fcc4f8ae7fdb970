import type { Violation } from "../errors.ts";
import { neutral, paint } from "./terminal.ts";
import type { Io } from "./verb.ts";

/** Tells of what an action does not use of its params, on standard error. */
export function warnOf({ field, description }: Pick<Violation, "field" | "description">, { stderr }: Io): void {
  stderr.write(`${paint(stderr, "yellow", "warning:")} ${neutral(`${field || "/"}: ${description}`)}\n`);
}
