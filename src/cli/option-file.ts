import { isMap, isScalar, isSeq, LineCounter, parseDocument } from "yaml";
import { didYouMean } from "../util/nearest.ts";
import type { FoundValue, Option } from "./option.ts";
import { UsageError } from "./usage-error.ts";

/** Reads a YAML file with options as keys. Faults name the file, line and column; unknown keys are faults. */
export function readOptionFile(table: readonly Option[], path: string, readFile: (path: string) => string) {
  const lines = new LineCounter();
  const document = parseDocument(read(path, readFile), { lineCounter: lines, prettyErrors: false });
  const at = (offset: number) => {
    const { line, col } = lines.linePos(offset);
    return `${path}:${Math.max(line, 1)}:${Math.max(col, 1)}`;
  };
  const found: FoundValue[] = [];
  const faults = document.errors.map((error) => `${at(error.pos[0])}: ${error.message}`);
  const root = document.contents;
  if (root !== null && !isMap(root)) faults.push(`${path}: expected a mapping of option names to values.`);
  // The parser mends what it can: the keys that it could read are checked as well, so that one start tells all.
  for (const { key, value } of isMap(root) ? root.items : []) {
    const name = textOf(key) ?? "";
    const source = at(isScalar(key) ? (key.range?.[0] ?? 0) : 0);
    const option = table.find((each) => each.name === name);
    const texts = isSeq(value) && option?.type === "list" ? value.items.map(textOf) : [textOf(value)];
    if (option === undefined) {
      faults.push(
        `${source}: unknown option ${name}.${didYouMean(
          name,
          table.map((each) => each.name),
        )}`,
      );
    } else if (texts.every((text) => text !== undefined)) {
      found.push({ name, texts, source: `${source}: ${name}` });
    } else {
      faults.push(`${source}: ${name} needs ${option.type === "list" ? "a list of texts" : "one value"}.`);
    }
  }
  return { found, faults };
}

function read(path: string, readFile: (path: string) => string): string {
  try {
    return readFile(path);
  } catch (cause) {
    throw new UsageError(`--config: cannot read ${path}: ${cause instanceof Error ? cause.message : cause}`, { cause });
  }
}

function textOf(node: unknown): string | undefined {
  if (!isScalar(node) || node.value === null || typeof node.value === "object") return undefined;
  return String(node.value);
}
