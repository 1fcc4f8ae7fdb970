import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { create } from "@bufbuild/protobuf";
import { type PluginIssue, PluginIssueSchema } from "../../gen/ts/pluginrunner/v1/plugin_pb.ts";
import { indexFiles } from "../runtime/code-file.ts";
import { isObject } from "../util/is-object.ts";
import { messageOf } from "../util/message-of.ts";
import type { Language } from "../worker/messages.ts";
import { declaresActions } from "./javascript-scan.ts";
import { showsPythonActions } from "./python-text.ts";
import { hidingFiles } from "./standard-library.ts";

/** So many files are looked into for actions that are left out. */
const maxLookedInto = 200;

/**
 * What stands in a plugin's folder and does not do what its author may think.
 * @param files of the folder, relative to it
 */
export function folderIssues(folder: string, language: Language, files: readonly string[]): PluginIssue[] {
  const own = language === "python" ? [...hidden(files), ...ignoredProject(folder)] : brokenManifest(folder);
  return [...own, ...leftOut(folder, language, files)];
}

function hidden(files: readonly string[]): PluginIssue[] {
  return hidingFiles(files).map(({ file, module }) =>
    issue(file, `${file} hides the module ${module} of Python's standard library, which other code needs: rename it.`),
  );
}

/** One process runs one language. */
function leftOut(folder: string, language: Language, files: readonly string[]): PluginIssue[] {
  const other = language === "python" ? "JavaScript" : "Python";
  const candidates =
    language === "python"
      ? indexFiles.filter((file) => files.includes(file))
      : files.filter((file) => file.endsWith(".py")).slice(0, maxLookedInto);
  const declares = language === "python" ? declaresActions : showsPythonActions;
  const file = candidates.find((candidate) => declares(textOf(join(folder, candidate))));
  if (file === undefined) return [];
  const message = `${file} declares actions in ${other}, which are left out: all actions of one plugin are in one language. Give it a plugin of its own.`;
  return [issue(file, message)];
}

function brokenManifest(folder: string): PluginIssue[] {
  const file = "package.json";
  if (!existsSync(join(folder, file))) return [];
  try {
    const manifest: unknown = JSON.parse(textOf(join(folder, file)));
    const { dependencies = {} } = isObject(manifest) ? manifest : {};
    if (isObject(dependencies)) return [];
    return [issue(file, `${file}: its dependencies are no object of names and versions, and nothing is installed.`)];
  } catch (error) {
    const said = messageOf(error);
    const [, line = "0", column = "0"] = /line (\d+) column (\d+)/.exec(said) ?? [];
    const message = `${file} cannot be read, and its dependencies are not installed: ${said}.`;
    return [issue(file, message, Number(line), Number(column))];
  }
}

/** Only requirements.txt says what is installed. */
function ignoredProject(folder: string): PluginIssue[] {
  const file = "pyproject.toml";
  if (!existsSync(join(folder, file)) || existsSync(join(folder, "requirements.txt"))) return [];
  const lines = textOf(join(folder, file)).split("\n");
  const at = lines.findIndex((line, index) =>
    declaresDependencies(line, lines.slice(index + 1), sectionAt(lines, index)),
  );
  if (at < 0) return [];
  const message = `The dependencies of ${file} are not installed: name them in a requirements.txt.`;
  return [issue(file, message, at + 1)];
}

function declaresDependencies(line: string, rest: readonly string[], section: string): boolean {
  if (section === "project") {
    const list = /^\s*dependencies\s*=\s*\[(.*)$/.exec(line)?.[1];
    return (
      list !== undefined && /^\s*["']/.test(list.trim() === "" ? (rest.find((next) => next.trim() !== "") ?? "") : list)
    );
  }
  return section === "tool.poetry.dependencies" && /^\s*[\w"'-]+\s*=/.test(line) && !/^\s*python\s*=/.test(line);
}

function sectionAt(lines: readonly string[], index: number): string {
  const heads = lines.slice(0, index + 1).flatMap((line) => /^\s*\[([\w.-]+)\]/.exec(line)?.[1] ?? []);
  return heads.at(-1) ?? "";
}

function issue(file: string, message: string, line = 0, column = 0): PluginIssue {
  return create(PluginIssueSchema, { message, file, line, column });
}

/** What cannot be read any more says nothing. */
function textOf(path: string): string {
  try {
    return readFileSync(path, "utf8");
  } catch {
    return "";
  }
}
