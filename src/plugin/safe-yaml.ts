import { readFileSync } from "node:fs";
import { CST, type Document, isMap, isScalar, Lexer, LineCounter, parseDocument, visit } from "yaml";
import { messageOf } from "../util/message-of.ts";
import { type Fault, fileInvalid, type Position } from "./file-fault.ts";
import { statOf } from "./stamp.ts";

const limits = { bytes: 256 * 1024, lines: 10_000, depth: 32, aliases: 100 };
const tooLarge = `is larger than ${limits.bytes / 1024} KiB`;

/** A parsed file that still knows where each of its values stands. */
export interface YamlText {
  text: string;
  value: unknown;
  /** Where the value that `path` leads to starts; with `key`, where its key does. */
  locate(path: readonly string[], key?: "key"): Position | undefined;
  /** How the scalar that `path` leads to is written: `1.10` and not 1.1. */
  written(path: readonly string[]): string | undefined;
}

/**
 * Reads a file of YAML, or of JSON, as `parseYaml` does.
 * @param file what messages call it
 * @throws PLUGIN_INVALID also when it cannot be read or is not UTF-8
 */
export function readYaml(path: string, file: string): YamlText {
  const text = readText(path, file);
  // YAML takes no tabs for indentation; JSON has them nowhere else.
  return parseYaml(path.endsWith(".json") ? text.replaceAll("\t", " ") : text, file);
}

/**
 * Parses YAML that may be hostile. Size, lines and depth are bounded before the parser sees the text, since deep nesting
 * can abort the whole process. Warnings and repeated keys are errors.
 * @throws PLUGIN_INVALID with line, column and excerpt
 */
export function parseYaml(text: string, file: string): YamlText {
  const lines = new LineCounter();
  const refuse = (description: string, rule: string, position?: Position): never => {
    throw fileInvalid(file, [{ field: "", description, rule, position }], text);
  };
  if (Buffer.byteLength(text) > limits.bytes) refuse(tooLarge, "size");
  if (text.split("\n").length > limits.lines) refuse(`has more than ${limits.lines} lines`, "lines");
  const excess = findExcess(text);
  if (excess) refuse(excess.description, excess.rule, { line: excess.line, column: 1 });

  const document = parseDocument(text, { lineCounter: lines, prettyErrors: false, uniqueKeys: false, merge: true });
  const place = (offset: number): Position => {
    const { line, col } = lines.linePos(offset);
    return { line: Math.max(line, 1), column: Math.max(col, 1) };
  };
  const [first, ...rest] = [
    ...[...document.errors, ...document.warnings].map((error) => ({
      field: "",
      // The text after the colon is a piece of the file, which may be secret.
      description: error.message.replace(/: ".*/s, ""),
      rule: error.code,
      position: place(error.pos[0]),
    })),
    ...hostileNodes(document, place),
  ];
  if (first) throw fileInvalid(file, [first, ...rest.slice(0, 99)], text);

  return {
    text,
    value: toValue(document, refuse),
    locate: (path, key) => locate(document, path, key, place),
    written: (path) => {
      const node = document.getIn(path, true);
      return isScalar(node) ? node.source : undefined;
    },
  };
}

function readText(path: string, file: string): string {
  const refuse = (description: string, rule: string): never => {
    throw fileInvalid(file, [{ field: "", description, rule, position: undefined }]);
  };
  const stats = statOf(path);
  if (!stats?.isFile()) return refuse("cannot be read", "file");
  if (stats.size > limits.bytes) return refuse(tooLarge, "size");
  try {
    return new TextDecoder("utf-8", { fatal: true }).decode(readFileSync(path));
  } catch (error) {
    return refuse(error instanceof TypeError ? "is not UTF-8 text" : "cannot be read", "file");
  }
}

interface Excess {
  line: number;
  description: string;
  rule: string;
}

/**
 * The first line that nests too deep, or has one alias too many: each costs a walk through the whole text. The lexer keeps
 * no stack for brackets, but does for the indicators of one line, so these are counted before it runs.
 */
function findExcess(text: string): Excess | undefined {
  const tooDeep = (line: number) => ({ line, description: `nests deeper than ${limits.depth} levels`, rule: "depth" });
  const crowded = text.split("\n").findIndex((line) => longestRun(line.split(/\s+/)) > limits.depth);
  if (crowded >= 0) return tooDeep(crowded + 1);
  const indents: number[] = [];
  let [line, brackets, indicators, indent, aliases] = [1, 0, 0, 0, 0];
  for (const token of new Lexer().lex(text)) {
    const type = CST.tokenType(token);
    if (type === "flow-map-start" || type === "flow-seq-start") brackets++;
    else if (type === "flow-map-end" || type === "flow-seq-end") brackets--;
    else if (type === "alias" && ++aliases > limits.aliases) {
      return { line, description: `has more than ${limits.aliases} aliases`, rule: "alias" };
    } else if (type === "seq-item-ind" || type === "explicit-key-ind") indicators++;
    else if (type === "space" && indicators === 0 && brackets === 0) indent = token.length;
    else if (type === "scalar" && indicators === 0 && brackets === 0) {
      while ((indents.at(-1) ?? -1) >= indent) indents.pop();
      indents.push(indent);
    }
    if (indents.length + brackets + indicators > limits.depth) return tooDeep(line);
    if (token.includes("\n")) {
      line += token.split("\n").length - 1;
      [indicators, indent] = [0, 0];
    }
  }
  return undefined;
}

function longestRun(words: readonly string[]): number {
  let [run, longest] = [0, 0];
  for (const word of words) {
    if (word === "") continue;
    run = /^[-?:!&]/.test(word) ? run + 1 : 0;
    longest = Math.max(longest, run);
  }
  return longest;
}

/**
 * Keys that stand twice in one map, found in linear time; `__proto__`, which changes objects instead of filling them; and
 * aliases of what they stand in, which make values without end.
 */
function hostileNodes(document: Document, place: (offset: number) => Position): Fault[] {
  const faults: Fault[] = [];
  visit(document, {
    Alias(_, alias, path) {
      const target = alias.resolve(document);
      if (!target || !path.includes(target)) return;
      const position = place(alias.range?.[0] ?? 0);
      faults.push({ field: "", description: "is an alias of what it stands in", rule: "alias", position });
    },
    Map(_, map) {
      const seen = new Set<string>();
      for (const { key } of map.items) {
        if (!isScalar(key)) {
          faults.push({
            field: "",
            description: "has a key that is not text",
            rule: "key",
            position: place(map.range?.[0] ?? 0),
          });
          continue;
        }
        const name = String(key.value);
        const position = place(key.range?.[0] ?? 0);
        const description = name === "__proto__" ? "must not be a key" : "stands twice in the same map";
        if (seen.has(name) || name === "__proto__") {
          faults.push({ field: "", description: `"${name.slice(0, 100)}" ${description}`, rule: "key", position });
        }
        seen.add(name);
      }
    },
  });
  return faults;
}

function toValue(document: Document, refuse: (description: string, rule: string) => never): unknown {
  try {
    return document.toJS({ maxAliasCount: limits.aliases });
  } catch (error) {
    // Whatever is thrown here, the text is at fault: an alias without an anchor, too many of them, a wrong merge.
    return refuse(messageOf(error), "value");
  }
}

function locate(
  document: Document,
  path: readonly string[],
  key: "key" | undefined,
  place: (offset: number) => Position,
): Position | undefined {
  if (key === "key") {
    const parent = path.length === 1 ? document.contents : document.getIn(path.slice(0, -1), true);
    const pair = isMap(parent)
      ? parent.items.find((item) => isScalar(item.key) && item.key.value === path.at(-1))
      : null;
    if (pair && isScalar(pair.key) && pair.key.range) return place(pair.key.range[0]);
  }
  const node: unknown = path.length === 0 ? document.contents : document.getIn(path, true);
  const range = typeof node === "object" && node !== null && "range" in node ? node.range : undefined;
  return Array.isArray(range) && typeof range[0] === "number" ? place(range[0]) : undefined;
}
