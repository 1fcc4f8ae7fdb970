import { createHash } from "node:crypto";
import { existsSync, readdirSync, readFileSync, statSync } from "node:fs";
import { basename, dirname, join, resolve } from "node:path";
import { compareText } from "../util/compare-text.ts";
import { isObject } from "../util/is-object.ts";
import type { Language } from "../worker/messages.ts";
import type { PluginConfig } from "./config.ts";
import type { Requirements } from "./plugin.ts";
import { readRequirementLines } from "./requirement-lines.ts";

/** Plugins find it without installing it. */
const ownPackage = "plugin-runner";

/**
 * What has to be installed for a plugin, as its `requirements.txt` (Python) or `package.json` (JavaScript) says.
 * Undefined when there is nothing to install: no such file, no line in it, or every package is there already.
 */
export function readRequirements(folder: string, language: Language, config: PluginConfig): Requirements | undefined {
  const { packageManagerOptions: options } = config;
  if (language === "javascript") {
    const file = join(folder, "package.json");
    return lacksPackages(folder, file) ? withDigest({ manager: "npm", file, options: [], wheelsDir: "" }) : undefined;
  }
  const file = join(folder, "requirements.txt");
  if (!isFile(file) || !namesPackages(readFileSync(file, "utf8"))) return undefined;
  const wheels = join(folder, config.wheelsDir);
  const wheelsDir = existsSync(wheels) && statSync(wheels).isDirectory() ? wheels : "";
  return withDigest({ manager: config.packageManager, file, options, wheelsDir });
}

/** Whether the files of requirements still say what their digest names. */
export function areUnchanged({ digest, ...rest }: Requirements): boolean {
  return isFile(rest.file) && withDigest(rest).digest === digest;
}

/** The absolute paths of all that an installation reads. */
export function requiredPaths({ manager, file, wheelsDir }: Requirements): string[] {
  const { files, trees } = manager === "npm" ? readByNpm(file) : readByPip(file);
  return [...files, ...trees, ...(wheelsDir === "" ? [] : [wheelsDir])];
}

function lacksPackages(folder: string, file: string): boolean {
  if (!isFile(file)) return false;
  const manifest = parseJson(readFileSync(file, "utf8"));
  const dependencies = isObject(manifest) && isObject(manifest.dependencies) ? manifest.dependencies : {};
  return Object.keys(dependencies).some((name) => name !== ownPackage && !isInstalled(folder, name));
}

/** As Node looks for packages: in `node_modules` of the folder and of each folder above it. */
function isInstalled(folder: string, name: string): boolean {
  if (existsSync(join(folder, "node_modules", name, "package.json"))) return true;
  const parent = dirname(folder);
  return parent !== folder && isInstalled(parent, name);
}

function namesPackages(requirements: string): boolean {
  return requirements.split("\n").some((line) => /^\s*[^\s#]/.test(line));
}

/** Files beside `package.json` that decide what npm installs. */
const npmFiles = ["npm-shrinkwrap.json", "package-lock.json", ".npmrc"];

function withDigest(requirements: Omit<Requirements, "digest">): Requirements {
  const { manager, file, options, wheelsDir } = requirements;
  const hash = createHash("sha256").update(JSON.stringify([manager, options]));
  const { files, trees } = manager === "npm" ? readByNpm(file) : readByPip(file);
  const contentOf = manager === "npm" ? npmContent : linesOf;
  for (const one of files) hash.update(contentOf(one)).update("\0");
  for (const tree of wheelsDir === "" ? trees : [...trees, wheelsDir]) {
    hash.update(`${tree}\0`);
    for (const entry of entriesOf(tree)) hash.update(entry);
  }
  return { ...requirements, digest: hash.digest("hex") };
}

/** Comments, spaces and the order of packages make no other environment. That of options may: the last index wins. */
function linesOf(file: string): string {
  const lines = readRequirementLines(file).map(({ text }) => withoutSpaces(text));
  const isOption = (line: string) => line.startsWith("-");
  const packages = lines.filter((line) => !isOption(line)).sort();
  return [...lines.filter(isOption), ...packages].join("\n");
}

/** Without the spaces that mean nothing: those round the operators of versions and markers. */
function withoutSpaces(line: string): string {
  return line.replaceAll(/\s+/g, " ").replaceAll(/ ?(===|[=!<>~]=|[<>,;]) ?/g, "$1");
}

/** What `package.json` says of the package itself, and what is not installed, makes no other environment. */
const withoutEffect = new Set([
  ...["name", "version", "description", "keywords", "author", "contributors", "license", "repository", "homepage"],
  ...["bugs", "main", "module", "exports", "types", "type", "files", "private", "funding"],
]);

function npmContent(file: string): string {
  const text = readFileSync(file, "utf8");
  const manifest = basename(file) === "package.json" ? parseJson(text) : undefined;
  if (!isObject(manifest)) return text;
  const kept = Object.keys(manifest).filter((key) => !withoutEffect.has(key));
  return JSON.stringify(kept.sort().map((key) => [key, inOrder(manifest[key])]));
}

function inOrder(value: unknown): unknown {
  if (!isObject(value)) return value;
  return Object.entries(value).sort(([a], [b]) => compareText(a, b));
}

/** What an installation reads: files for their content, and what belongs to this plugin alone, files and folders. */
interface Inputs {
  files: string[];
  trees: string[];
}

function readByNpm(manifest: string): Inputs {
  const folder = dirname(manifest);
  const files = [manifest, ...npmFiles.map((name) => join(folder, name)).filter(isFile)];
  const { dependencies } = Object(parseJson(readFileSync(manifest, "utf8")));
  const local = Object.values(Object(dependencies)).flatMap(
    (version) => /^file:(.+)$/.exec(String(version))?.[1] ?? [],
  );
  return { files, trees: local.map((path) => resolve(folder, path)) };
}

function readByPip(file: string, found: Inputs = { files: [], trees: [] }): Inputs {
  if (found.files.includes(file) || !isFile(file)) return found;
  found.files.push(file);
  for (const { option, path } of readRequirementLines(file)) {
    if (path === undefined) continue;
    const target = resolve(dirname(file), path);
    if (option !== undefined && !/^(-f|--find-links|-e|--editable)$/.test(option)) readByPip(target, found);
    else found.trees.push(target);
  }
  return found;
}

/** Names, sizes and times: the content of what is installed is not read each time. */
function entriesOf(tree: string): string[] {
  if (!existsSync(tree)) return [];
  const names = statSync(tree).isDirectory() ? readdirSync(tree, { recursive: true, encoding: "utf8" }).sort() : [""];
  return names.map((name) => {
    const { size, mtimeMs } = statSync(join(tree, name));
    return `${name}\0${size}\0${mtimeMs}\n`;
  });
}

function isFile(path: string): boolean {
  return existsSync(path) && statSync(path).isFile();
}

/** A broken manifest needs nothing installed; Node says what is wrong with it when the code is loaded. */
function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
