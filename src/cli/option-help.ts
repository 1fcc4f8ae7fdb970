import type { Option } from "./option.ts";

/** The options as help shows them: one block each, at most 96 columns wide. */
export function helpText(table: readonly Option[]): string {
  return table
    .map((option) => `  ${flagOf(option)}\n${wrap(`${option.description}${notes(option)}`, "      ")}`)
    .join("");
}

function flagOf(option: Option): string {
  if (option.type === "boolean") return option.default === true ? `--no-${option.name}` : `--${option.name}`;
  const choices = option.type === "string" ? option.choices?.join("|") : undefined;
  return `--${option.name} ${option.value ?? choices ?? valueNames[option.type]}${option.type === "list" ? " …" : ""}`;
}

const valueNames = {
  string: "TEXT",
  integer: "N",
  number: "NUMBER",
  duration: "DURATION",
  bytes: "SIZE",
  list: "VALUE",
} as const satisfies Record<Exclude<Option["type"], "boolean">, string>;

function notes(option: Option): string {
  const parts = [];
  const preset = option.type === "list" ? option.default?.join(", ") : option.default;
  if (preset !== undefined && preset !== "" && option.type !== "boolean") parts.push(`default ${preset}`);
  if (option.env !== undefined) parts.push(`environment ${option.env}`);
  return parts.length === 0 ? "" : ` (${parts.join("; ")})`;
}

/** Text broken into lines of at most 96 columns, each with an indent and an end. */
export function wrap(text: string, indent: string): string {
  const lines = [indent];
  for (const word of text.split(" ")) {
    const line = lines.at(-1) ?? indent;
    if (line.length + word.length > 95 && line !== indent) lines.push(indent + word);
    else lines[lines.length - 1] = line === indent ? indent + word : `${line} ${word}`;
  }
  return `${lines.join("\n")}\n`;
}
