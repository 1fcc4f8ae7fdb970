import { createHash } from "node:crypto";
import { readdirSync, readFileSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import ignore, { type Ignore } from "ignore";
import { PluginRunnerError } from "../errors.ts";
import { hasCode } from "../util/has-code.ts";
import { pacer } from "../util/pace.ts";
import { isUnchanged, type Stamp, sameStamp, statOf, toStamp } from "./stamp.ts";

const largeFileBytes = 16 * 1024 * 1024;
const maxFiles = 50_000;

/** Read without blocking from this size on. */
const slowFileBytes = 256 * 1024;

const ignoreFiles = [".gitignore", ".pluginrunnerignore", ".synapseignore"];

/** The content of a plugin's folder or file at one time. */
export interface FileTree {
  /** SHA-256 in hexadecimal over the names and contents of all files, sorted. Large files count by size and times. */
  readonly digest: string;
  /** Absolute paths of the folders. */
  readonly folders: ReadonlyMap<string, Stamp>;
  /** By path relative to the root. */
  readonly files: ReadonlyMap<string, FileEntry>;
  /** Files that do not count as they are: see `OwnWrites`. Absent for none. */
  readonly apart?: FilesApart;
}

export interface FilesApart {
  /** SHA-256 in hexadecimal over what these files are. */
  readonly digest: string;
  /** The hashes that count, by relative path; undefined for a file of which nothing counts. */
  readonly counted: ReadonlyMap<string, string | undefined>;
}

export interface FileEntry {
  readonly path: string;
  readonly stamp: Stamp;
  readonly hash: string;
}

/** Folders and files that are never part of a plugin: hidden ones, installed packages, compiled code. */
export function isIgnoredName(name: string): boolean {
  return name.startsWith(".") || name === "node_modules" || name === "venv" || name === "__pycache__";
}

/**
 * Reads a folder, or one file. Reads anew only what changed since `previous`, and returns `previous` itself when nothing
 * did. `.gitignore`, `.pluginrunnerignore` and `.synapseignore` of the folder say what does not belong to it.
 * @throws PLUGIN_NOT_FOUND when there is nothing any more, PLUGIN_INVALID for more than 50,000 files
 */
export async function readTree(root: string, previous?: FileTree): Promise<FileTree> {
  const pause = pacer();
  if (previous && (await unchanged(previous, pause))) return previous;
  const folders = new Map<string, Stamp>();
  const files = new Map<string, FileEntry>();
  const add = async (relative: string, path: string) => {
    const stats = statOf(path);
    if (!stats?.isFile()) return;
    if (files.size >= maxFiles) throw tooMany(root);
    const known = previous?.files.get(relative);
    const stamp = toStamp(stats);
    if (known && sameStamp(known.stamp, stats)) files.set(relative, known);
    else {
      const hash = await readable(path, () => hashFile(path, stamp));
      if (hash !== undefined) files.set(relative, { path, stamp, hash });
    }
    await pause();
  };

  const stats = statOf(root);
  if (!stats) throw gone(root);
  if (stats.isFile()) await add("", root);
  else await walk(root, "", folders, await ignoreRules(root, add), add);
  return { digest: digestOf(new Map([...files].map(([name, { hash }]) => [name, hash]))), folders, files };
}

/** The same files with a digest in which some count as something else. */
export function withApart(tree: FileTree, counted: ReadonlyMap<string, string | undefined>): FileTree {
  const own = new Map([...counted.keys()].flatMap((name) => asIs(tree, name)));
  const all = new Map([...tree.files.keys()].flatMap((name) => (counted.has(name) ? [] : asIs(tree, name))));
  for (const [name, hash] of counted) if (hash !== undefined) all.set(name, hash);
  const { folders, files } = tree;
  return { digest: digestOf(all), folders, files, apart: { digest: digestOf(own), counted } };
}

/** The files of which what counts is not the same in two trees. */
export function changedFiles(before: FileTree, after: FileTree): string[] {
  const names = new Set([...before.files.keys(), ...after.files.keys()]);
  return [...names].filter((name) => countedHash(before, name) !== countedHash(after, name));
}

function countedHash({ files, apart }: FileTree, name: string): string | undefined {
  return apart?.counted.has(name) ? apart.counted.get(name) : files.get(name)?.hash;
}

function asIs({ files }: FileTree, name: string): [string, string][] {
  const entry = files.get(name);
  return entry ? [[name, entry.hash]] : [];
}

async function unchanged(tree: FileTree, pause: () => Promise<void> | undefined): Promise<boolean> {
  for (const [path, stamp] of tree.folders) if (!isUnchanged(path, stamp)) return false;
  let count = 0;
  for (const { path, stamp } of tree.files.values()) {
    if (!isUnchanged(path, stamp)) return false;
    if (++count % 100 === 0) await pause();
  }
  return true;
}

async function walk(
  root: string,
  relative: string,
  folders: Map<string, Stamp>,
  rules: Ignore,
  add: (relative: string, path: string) => Promise<void>,
): Promise<void> {
  const folder = join(root, relative);
  const stats = statOf(folder);
  if (!stats) return;
  folders.set(folder, toStamp(stats));
  if (folders.size > maxFiles) throw tooMany(root);
  for (const entry of (await readable(folder, () => readdirSync(folder, { withFileTypes: true }))) ?? []) {
    const path = relative === "" ? entry.name : `${relative}/${entry.name}`;
    if (isIgnoredName(entry.name) || rules.ignores(entry.isDirectory() ? `${path}/` : path)) continue;
    if (entry.isDirectory()) await walk(root, path, folders, rules, add);
    // A link to a folder is not followed: it may lead back here.
    else await add(path, join(root, path));
  }
}

/** The rules themselves are part of the content: changing them changes what belongs to the plugin. */
async function ignoreRules(root: string, add: (relative: string, path: string) => Promise<void>): Promise<Ignore> {
  const rules = ignore();
  for (const name of ignoreFiles) {
    const path = join(root, name);
    if (!statOf(path)?.isFile()) continue;
    rules.add(readFileSync(path, "utf8"));
    await add(name, path);
  }
  return rules;
}

async function hashFile(path: string, { size, mtimeMs, ctimeMs }: Stamp): Promise<string> {
  // Copies may keep the time of the content; that of the file they cannot.
  if (size > largeFileBytes) return `${size}:${mtimeMs}:${ctimeMs}`;
  const content = size > slowFileBytes ? await readFile(path) : readFileSync(path);
  return createHash("sha256").update(content).digest("hex");
}

/** What was read, or undefined for what is gone since it was seen. */
async function readable<T>(path: string, read: () => T | Promise<T>): Promise<T | undefined> {
  try {
    return await read();
  } catch (error) {
    if (hasCode(error, "ENOENT")) return undefined;
    throw new PluginRunnerError("PLUGIN_INVALID", `${path} cannot be read.`, {
      metadata: { file: path },
      cause: error,
    });
  }
}

function digestOf(hashes: ReadonlyMap<string, string>): string {
  const hash = createHash("sha256");
  for (const name of [...hashes.keys()].sort()) hash.update(`${name}\0${hashes.get(name)}\n`);
  return hash.digest("hex");
}

function gone(root: string): PluginRunnerError {
  return new PluginRunnerError("PLUGIN_NOT_FOUND", `The plugin at ${root} is gone.`, { metadata: { path: root } });
}

function tooMany(root: string): PluginRunnerError {
  return new PluginRunnerError(
    "PLUGIN_INVALID",
    `The plugin at ${root} has more than ${maxFiles} files. List what is not code in its .pluginrunnerignore.`,
    { metadata: { path: root, limit: String(maxFiles) } },
  );
}
