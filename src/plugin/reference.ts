import { existsSync, realpathSync, statSync } from "node:fs";
import { dirname, join } from "node:path";
import { PluginRunnerError, requestInvalid } from "../errors.ts";
import { compareText } from "../util/compare-text.ts";
import { nearest } from "../util/nearest.ts";
import { type Discovery, type Found, type FoundFolder, toModule } from "./discovery.ts";
import { isInside, pythonModuleFiles } from "./entrypoint.ts";
import type { FolderLocation, Location } from "./location.ts";
import { isPathLike, resolvePath } from "./path-reference.ts";
import { compareVersions } from "./version.ts";

const maxLength = 4096;
const maxNames = 20;
const sourceEndings = [".ts", ".mts", ".js", ".mjs", ".cjs"];

/** Discovery may be this old when it has the code that is asked for. */
const freshMs = 1000;

/**
 * Finds the plugin that a reference names: a path, else a code with an optional `@version`, else a folder or module
 * under the roots, else a module that is allowed by name.
 * @param maxAgeMs how old the knowledge may be of what there is under the roots, when it has what is asked for
 * @throws PLUGIN_NOT_FOUND with what is available, PATH_FORBIDDEN, REQUEST_INVALID, and PLUGIN_INVALID also where two
 * plugins have the same name: none of them is meant then
 */
export async function resolveReference(
  reference: string,
  discovery: Discovery,
  allowModules: readonly string[],
  maxAgeMs = freshMs,
): Promise<Location> {
  if (reference === "") throw requestInvalid("/plugin", "is required");
  if (reference.length > maxLength) throw requestInvalid("/plugin", `is longer than ${maxLength} characters`);
  if (isPathLike(reference)) return atPath(resolvePath(reference, discovery.roots), reference, discovery.roots);

  const [code, version] = splitVersion(reference);
  const known = byCode(await discovery.find(maxAgeMs), code, version);
  if (known && existsSync(known.configFile)) return known;
  const found = await discovery.find(0);
  const location = byCode(found, code, version) ?? underRoots(reference, discovery.roots);
  if (location) return location;
  if (allowModules.some((name) => reference === name || reference.startsWith(`${name}.`))) return installed(reference);
  throw notFound(reference, code, version, found);
}

/** The code and the version that a reference names; it names no version without an `@`. */
export function splitVersion(reference: string): [string, string | undefined] {
  const at = reference.lastIndexOf("@");
  return at <= 0 ? [reference, undefined] : [reference.slice(0, at), reference.slice(at + 1)];
}

function atPath(path: string, reference: string, roots: readonly string[]): Location {
  if (statSync(path).isFile()) {
    if (/\.ya?ml$/.test(path)) return { kind: "folder", folder: dirname(path), configFile: path };
    throw new PluginRunnerError("PLUGIN_NOT_FOUND", `${reference} is neither a folder nor a YAML file.`, {
      metadata: { plugin: reference },
    });
  }
  const configFile = configIn(path);
  if (configFile) return inside({ kind: "folder", folder: path, configFile }, roots, reference);
  throw new PluginRunnerError("PLUGIN_INVALID", `The folder ${reference} has no config.yaml.`, {
    metadata: { plugin: reference, file: "config.yaml" },
  });
}

/** Of several versions the highest. What several folders, or a folder and a module, are called is nobody's name. */
function byCode({ folders, modules }: Found, code: string, version: string | undefined): FolderLocation | undefined {
  const named = folders.filter(
    (folder) => folder.code === code && (version === undefined || folder.version === version),
  );
  const highest = named.reduce<FoundFolder | undefined>(
    (best, folder) => (best && compareVersions(best.version, folder.version) >= 0 ? best : folder),
    undefined,
  );
  if (!highest) return undefined;
  const same = named.filter((folder) => compareVersions(folder.version, highest.version) === 0);
  const others = version === undefined ? modules.filter((module) => module.code === code) : [];
  const paths = [...same.map(({ location }) => location.folder), ...others.map(({ file }) => file)];
  if (paths.length > 1) throw ambiguous(version === undefined ? code : `${code}@${version}`, paths);
  return highest.location;
}

function underRoots(name: string, roots: readonly string[]): Location | undefined {
  if (!/^[^./\\]+(\.[^./\\]+)*$/.test(name)) return undefined;
  const places = roots.flatMap((root) => placesOf(name, root));
  const [first] = places;
  if (!first) return undefined;
  const paths = [...new Set(places.map(({ path }) => path))];
  if (paths.length > 1) throw ambiguous(name, paths);
  return inside(first.location, first.location.kind === "folder" ? roots : [first.root], name);
}

/** All that a dotted name may mean under one root. */
function placesOf(name: string, root: string): { location: Location; path: string; root: string }[] {
  const path = join(root, ...name.split("."));
  const configFiles = [...new Set([configIn(path), configIn(join(root, name))])].filter((file) => file !== undefined);
  const files = [...(configFiles.length > 0 ? [] : pythonModuleFiles(root, name)), ...javascriptFiles(path)];
  const folders = configFiles.map(
    (configFile) => ({ kind: "folder", folder: dirname(configFile), configFile }) as const,
  );
  return [
    ...folders.map((location) => ({ location, path: location.folder, root })),
    ...files
      .filter((file) => !folders.some(({ folder }) => isInside(file, folder)))
      .map((file) => ({ location: toModule(root, file), path: file, root })),
  ];
}

function javascriptFiles(path: string): string[] {
  const files = [...sourceEndings.map((end) => path + end), ...sourceEndings.map((end) => join(path, `index${end}`))];
  return files.filter((candidate) => existsSync(candidate) && statSync(candidate).isFile());
}

function ambiguous(name: string, paths: readonly string[]): PluginRunnerError {
  const places = [...paths].sort(compareText);
  return new PluginRunnerError(
    "PLUGIN_INVALID",
    `${shorten(name)} is the name of ${places.length} plugins: ${places.slice(0, maxNames).join(", ")}. Rename all but one, give them different versions, or ask by a path.`,
    { metadata: { plugin: shorten(name), candidates: places.slice(0, maxNames).join(", ") } },
  );
}

/** The location, whose file has to be inside of one of the folders. */
function inside<T extends Location>(location: T, folders: readonly string[], name: string): T {
  const file = realpathSync(location.kind === "folder" ? location.configFile : location.file);
  if (folders.some((folder) => isInside(file, folder))) return location;
  throw new PluginRunnerError("PATH_FORBIDDEN", `${name} is a link that leads out of the plugin roots.`, {
    metadata: { plugin: name },
  });
}

function configIn(folder: string): string | undefined {
  return ["config.yaml", "config.yml"].map((name) => join(folder, name)).find((path) => existsSync(path));
}

function installed(module: string): Location {
  return { kind: "module", language: "python", code: module, root: "", module, file: "", content: "" };
}

function notFound(reference: string, code: string, version: string | undefined, found: Found): PluginRunnerError {
  const versions = found.folders.filter((folder) => folder.code === code).map((folder) => folder.version);
  if (version !== undefined && versions.length > 0) {
    const available = versions.sort(compareVersions).reverse().slice(0, maxNames).join(", ");
    return new PluginRunnerError(
      "PLUGIN_NOT_FOUND",
      `The plugin ${code} has no version ${version}. Available: ${available}.`,
      { metadata: { plugin: code, version, available } },
    );
  }
  const names = [...new Set([...found.folders, ...found.modules].map((plugin) => plugin.code))].sort(compareText);
  const near = nearest(code, names);
  const hint = near === "" ? " A module that is installed elsewhere needs --allow-module." : ` Did you mean ${near}?`;
  return new PluginRunnerError("PLUGIN_NOT_FOUND", `There is no plugin ${shorten(reference)}.${hint}`, {
    metadata: { plugin: shorten(reference), available: names.slice(0, maxNames).join(", "), nearest: near },
  });
}

function shorten(text: string): string {
  return text.length > 200 ? `${text.slice(0, 200)}…` : text;
}
