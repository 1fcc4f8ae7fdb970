import { execFile } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import { basename, join, relative, sep } from "node:path";
import { fileURLToPath } from "node:url";
import { PluginRunnerError } from "../errors.ts";
import { lastLoadedFile } from "./module-hooks.ts";
import { describeThrown } from "./plugin-failure.ts";

/** A place in a plugin's code; line and column from 1, 0 when they are not known. */
interface Place {
  file: string;
  line: number;
  column: number;
}

/** The PLUGIN_INVALID for what came out of the import of `path`: syntax, a missing package, an exception at load. */
export async function importFailed(root: string, path: string, thrown: unknown): Promise<PluginRunnerError> {
  const { type, message, stack } = describeThrown(thrown);
  const place = (await placeOf(root, thrown)) ?? { file: path, line: 0, column: 0 };
  const file = relative(root, place.file);
  const at = place.line === 0 ? file : `${file}:${place.line}:${place.column}`;
  const said = message.replaceAll(root + sep, "");
  const hint = hintFor(thrown, root, place);
  return new PluginRunnerError("PLUGIN_INVALID", `${at} cannot be loaded. ${type}: ${said}${hint}`, {
    metadata: {
      file,
      line: String(place.line),
      column: String(place.column),
      exception_type: type,
      message: said,
    },
    exceptionType: type,
    pluginStack: stack,
  });
}

function hintFor(thrown: unknown, root: string, place: Place): string {
  switch (codeOf(thrown)) {
    case "ERR_UNSUPPORTED_TYPESCRIPT_SYNTAX":
      return ". Node only strips types: write it without enum, namespace and parameter properties, or compile it first.";
    case "ERR_UNSUPPORTED_NODE_MODULES_TYPE_STRIPPING":
      return ". A package has to bring JavaScript.";
    case "ERR_MODULE_NOT_FOUND":
    case "MODULE_NOT_FOUND":
      return thrown instanceof Error ? hintForModule(thrown.message, root) : "";
    default:
      return thrown instanceof SyntaxError ? hintForSyntax(thrown.message, place) : "";
  }
}

/** The most usual mistakes with types that are only stripped, and not compiled. */
function hintForSyntax(message: string, place: Place): string {
  const [, name] = /does not provide an export named '([^']+)'/.exec(message) ?? [];
  if (name !== undefined && name !== "default") {
    return `. If ${name} is a type, import it as one: import { type ${name} } from …`;
  }
  if (/^\s*@[A-Za-z_$]/.test(lineOf(place))) {
    return ". Node runs no decorators: write it without, or compile it first.";
  }
  return "";
}

function hintForModule(message: string, root: string): string {
  const [, wanted = ""] = /^Cannot find (?:package|module) '([^']+)'/.exec(message) ?? [];
  if (wanted.startsWith("/")) return hintForFile(wanted);
  if (!isMissingPackage(message)) return "";
  if (/^[@~]\//.test(wanted) || isPathOfTsconfig(wanted, root)) {
    return ". The paths of tsconfig.json are not followed: write a relative path, or declare it as #name in the imports of package.json.";
  }
  return ". Add the package to the plugin's package.json.";
}

/** Node wants the name of the file as it is, with its ending. */
function hintForFile(path: string): string {
  const stem = path.replace(/\.[cm]?jsx?$/, "");
  const found = [".ts", ".mts", ".cts", ".js", ".mjs", ".cjs", "/index.ts", "/index.js"].find((ending) =>
    existsSync(stem + ending),
  );
  return found === undefined ? "" : `. Write its whole name: ${basename(stem)}${found}.`;
}

/** Whether a key of `compilerOptions.paths`, such as `lib/*`, stands for a name. Read as text: it may have comments. */
function isPathOfTsconfig(wanted: string, root: string): boolean {
  const file = join(root, "tsconfig.json");
  const [, paths = ""] = (existsSync(file) && /"paths"\s*:\s*\{([^}]*)\}/.exec(readFileSync(file, "utf8"))) || [];
  const keys = paths.matchAll(/"([^"]+)"\s*:/g).map(([, key = ""]) => key);
  // Node names the package alone, where `lib/x` was imported.
  return keys.some((key) => key === wanted || key.split("/")[0] === wanted);
}

function lineOf({ file, line }: Place): string {
  return line === 0 || !existsSync(file) ? "" : (readFileSync(file, "utf8").split("\n")[line - 1] ?? "");
}

async function placeOf(root: string, thrown: unknown): Promise<Place | undefined> {
  if (!(thrown instanceof Error)) return undefined;
  const stack = String(thrown.stack);
  const place = placeOfExcerpt(stack) ?? placeOfFrame(root, stack) ?? placeOfImport(thrown.message);
  if (place !== undefined || thrown.name !== "SyntaxError") return place;
  const file = lastLoadedFile();
  return file === undefined ? undefined : placeOfExcerpt(await check(file));
}

/** `/abs/file.ts:3`, some lines of code, and a caret under the fault. */
function placeOfExcerpt(text: string): Place | undefined {
  const head = /^((?:file:\/\/)?\/.*?)(?:\?v=\w+)?:(\d+)\n/.exec(text);
  if (head?.[1] === undefined) return undefined;
  const caret = /^( *)\^/m.exec(text);
  return { file: toPath(head[1]), line: Number(head[2]), column: caret?.[1] === undefined ? 0 : caret[1].length + 1 };
}

/** The innermost frame in the plugin's own code. */
function placeOfFrame(root: string, stack: string): Place | undefined {
  for (const [, url = "", line, column] of stack.matchAll(
    /((?:file:\/\/)?\/[^\n()]*?)(?:\?v=\w+)?:(\d+):(\d+)\)?$/gm,
  )) {
    const file = toPath(url);
    if (file.startsWith(root + sep)) return { file, line: Number(line), column: Number(column) };
  }
  return undefined;
}

/** Node names the file that imports, and not the line: it is the first that looks like the import. */
function placeOfImport(message: string): Place | undefined {
  const [, wanted, file] = /'([^']+)' imported from (\/.*)$/m.exec(message) ?? [];
  if (wanted === undefined || file === undefined) return undefined;
  const name = basename(wanted);
  const lines = readFileSync(file, "utf8").split("\n");
  const at = lines.findIndex((line) => /\b(import|from)\b/.test(line) && line.includes(name));
  return { file, line: at + 1, column: (lines[at]?.indexOf(name) ?? -1) + 1 };
}

function toPath(url: string): string {
  return url.startsWith("file://") ? fileURLToPath(url) : url;
}

/** Node tells nobody where an ES module cannot be parsed, except on its own standard error. */
function check(file: string): Promise<string> {
  return new Promise((done) => {
    execFile(process.execPath, ["--check", file], { timeout: 5_000 }, (_error, _stdout, stderr) => done(stderr));
  });
}

function isMissingPackage(message: string): boolean {
  return /Cannot find (package|module '[^./])/.test(message);
}

function codeOf(thrown: unknown): string {
  return thrown instanceof Error && "code" in thrown ? String(thrown.code) : "";
}
