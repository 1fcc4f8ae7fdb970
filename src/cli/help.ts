import { exitCodes } from "./exit-codes.ts";
import { helpText, wrap } from "./option-help.ts";
import type { Verb } from "./verb.ts";

/** What `plugin-runner help` prints. */
export function overview(verbs: Readonly<Record<string, { summary: string }>>): string {
  const width = Math.max(...Object.keys(verbs).map((name) => name.length));
  return [
    "plugin-runner runs the actions of plugins: at once, or as jobs that are watched while they run.",
    "",
    "Usage: plugin-runner VERB [arguments] [options]",
    "",
    ...Object.entries(verbs).map(([name, { summary }]) => `  ${name.padEnd(width)}  ${summary}`),
    "",
    "  plugin-runner help VERB    says more about one of them, with examples",
    "  plugin-runner --version    prints the version",
    "",
    "Exit codes:",
    ...exitCodes.map(([code, meaning]) => `  ${String(code).padStart(3)}  ${meaning}`),
  ].join("\n");
}

/** What `plugin-runner help VERB` prints. */
export function verbHelp(name: string, { usage, description, options, examples }: Verb): string {
  return [
    `Usage: ${["plugin-runner", name, usage].filter((word) => word !== "").join(" ")} [options]`,
    "",
    wrap(description, ""),
    "Options:",
    helpText(options),
    "Examples:",
    ...examples.flatMap(([args, meaning]) => [`  # ${meaning}`, `  plugin-runner ${args}`]),
  ].join("\n");
}
