import { PluginRunnerError } from "../errors.ts";

/** Where something stands in a text, both from 1. */
export interface Position {
  line: number;
  column: number;
}

/** Something wrong in a file of a plugin. */
export interface Fault {
  /** JSON pointer to the value; empty for the whole. */
  field: string;
  description: string;
  rule: string;
  position: Position | undefined;
}

/** PLUGIN_INVALID for faults of one file: all of them as violations, the first with its excerpt as the message. */
export function fileInvalid(file: string, faults: readonly [Fault, ...Fault[]], text = ""): PluginRunnerError {
  const [first] = faults;
  const more = faults.length === 1 ? "" : `\n(${faults.length - 1} more)`;
  return new PluginRunnerError("PLUGIN_INVALID", `${headline(file, first)}${excerpt(text, first.position)}${more}`, {
    metadata: {
      file,
      line: String(first.position?.line ?? 0),
      column: String(first.position?.column ?? 0),
      faults: String(faults.length),
    },
    violations: faults.map(({ field, description, rule, position }) => ({
      field,
      description: position ? `${description} (${file}:${position.line}:${position.column})` : description,
      rule,
    })),
  });
}

function headline(file: string, { field, description, position }: Fault): string {
  const place = position ? `${file}:${position.line}:${position.column}` : file;
  return field === "" ? `${place}: ${description}` : `${place}: ${field} ${description}`;
}

/** The line with a caret under the column, as the yaml package shows its errors. */
function excerpt(text: string, position: Position | undefined): string {
  const lines = text.split("\n");
  const line = position && lines[position.line - 1]?.trimEnd();
  if (!line || holdsSecrets(lines, position.line - 1)) return "";
  const from = Math.max(0, position.column - 40);
  return `\n\n${line.slice(from, from + 80)}\n${" ".repeat(position.column - 1 - from)}^\n`;
}

/** Whether a line stands in a block of environment variables: their values never enter a message. */
function holdsSecrets(lines: readonly string[], index: number): boolean {
  const top = lines.slice(0, index + 1).findLast((line) => /^[^\s#]/.test(line));
  return top !== undefined && /^["']?(env|runtime_env)\b|\benv["']?\s*:/.test(top);
}
