import { readFileSync } from "node:fs";

/** One line of a requirements file. */
export interface RequirementLine {
  readonly text: string;
  /** The option before a path, such as `-r` or `--constraint`; undefined where the line is a package. */
  readonly option?: string | undefined;
  /** What the line names beside packages of an index: a file or folder, relative to the requirements file or absolute. */
  readonly path?: string | undefined;
}

/**
 * The lines of a requirements file, without comments; those that go on behind a backslash are one. See
 * https://pip.pypa.io/en/stable/reference/requirements-file-format/.
 */
export function readRequirementLines(file: string): RequirementLine[] {
  return readFileSync(file, "utf8")
    .replaceAll(/\\\r?\n/g, " ")
    .split("\n")
    .map((line) => line.replace(/(^|\s)#.*$/, "").trim())
    .filter((line) => line !== "")
    .map(parse);
}

/** Whether a line has the lines of another file in its place. */
export function isInclude({ option }: RequirementLine): boolean {
  return option === "-r" || option === "--requirement";
}

const optionWithPath = /^(-r|--requirement|-c|--constraint|-f|--find-links|-e|--editable)[\s=]*(\S.*)$/;

function parse(text: string): RequirementLine {
  const [, option, argument = text] = optionWithPath.exec(text) ?? [];
  const isPath = option === undefined ? /^\.{0,2}\//.test(argument) : !/^[a-z+]+:/i.test(argument);
  return { text, option, ...(isPath && { path: argument }) };
}
