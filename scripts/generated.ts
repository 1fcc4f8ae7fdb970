import { execFileSync, spawnSync } from "node:child_process";
import { join } from "node:path";

export const root = join(import.meta.dirname, "..");

/** A language whose generated code is committed. */
export interface Language {
  readonly name: string;
  /** The template of buf, relative to the root. */
  readonly template: string;
  /** Where its files go, relative to the root. */
  readonly out: string;
  /** A program that generating needs beside what `npm ci` installs. */
  readonly program?: string;
}

export const languages: readonly Language[] = [
  { name: "TypeScript", template: "buf.gen.yaml", out: "gen/ts" },
  { name: "Python", template: "python/buf.gen.yaml", out: "gen/python", program: "python3" },
  { name: "Go", template: "clients/go/buf.gen.yaml", out: "gen/go", program: "go" },
];

/** Generates one language's files below `folder`. False, and a word on it, where its program is missing. */
export function generate({ name, template, program }: Language, folder: string = root): boolean {
  if (program !== undefined && spawnSync(program, ["version"]).error !== undefined) {
    console.log(`Skipped: code in ${name} is generated where ${program} is on PATH.`);
    return false;
  }
  execFileSync("buf", ["generate", "--template", template, "--output", folder], { cwd: root, stdio: "inherit" });
  return true;
}
