import { type Dirent, readdirSync, readFileSync, realpathSync } from "node:fs";
import { basename, extname, join, relative } from "node:path";
import { PluginRunnerError } from "../errors.ts";
import { compareText } from "../util/compare-text.ts";
import { pacer } from "../util/pace.ts";
import { type PluginConfig, readConfig } from "./config.ts";
import { isInside } from "./entrypoint.ts";
import { isIgnoredName } from "./file-tree.ts";
import { declaresActions } from "./javascript-scan.ts";
import type { FolderLocation, ModuleLocation } from "./location.ts";
import { showsPythonActions } from "./python-text.ts";
import { isUnchanged, type Stamp, stampOf } from "./stamp.ts";

const configNames = ["config.yaml", "config.yml"];
const maxDepth = 3;
const maxSourceBytes = 1024 * 1024;

/** A folder with a configuration, or with one that cannot be read. */
export interface FoundFolder {
  location: FolderLocation;
  /** The configured code; the folder's name when the configuration cannot be read. */
  code: string;
  version: string;
  config: PluginConfig | PluginRunnerError;
}

/** Everything that stands under the plugin roots. */
export interface Found {
  folders: readonly FoundFolder[];
  modules: readonly ModuleLocation[];
}

interface Folder {
  stamp: Stamp;
  subfolders: string[];
  configFile: string | undefined;
  /** The configuration is a link: it may lead elsewhere the next time. */
  linked: boolean;
  sources: string[];
}

interface Remembered<T> {
  stamp: Stamp;
  value: T;
}

/** Finds plugins under the roots, and reads anew only what changed since it last looked. Runs no code. */
export class Discovery {
  readonly roots: readonly string[];
  readonly #folders = new Map<string, Folder>();
  readonly #configs = new Map<string, Remembered<PluginConfig | PluginRunnerError>>();
  readonly #sources = new Map<string, Remembered<boolean>>();
  #found: Found = { folders: [], modules: [] };
  #foundAt = Number.NEGATIVE_INFINITY;
  #looking: Promise<Found> | undefined;

  /** @param roots real paths of folders */
  constructor(roots: readonly string[]) {
    this.roots = roots;
  }

  /** What there is, as of at most `maxAgeMs` ago. Callers at the same time share one look. */
  async find(maxAgeMs: number): Promise<Found> {
    if (performance.now() - this.#foundAt <= maxAgeMs) return this.#found;
    this.#looking ??= this.#look().finally(() => {
      this.#looking = undefined;
    });
    return this.#looking;
  }

  /** The configuration in a file, or why it cannot be used: that of one outside the roots never is. */
  config(path: string): PluginConfig | PluginRunnerError {
    return remember(
      this.#configs,
      path,
      () => (this.#isInside(path) ? readOrExplain(path) : unreadable(path)),
      () => unreadable(path),
    );
  }

  #isInside(path: string): boolean {
    const real = realPath(path);
    return real !== undefined && this.roots.some((root) => isInside(real, root));
  }

  async #look(): Promise<Found> {
    const startedAt = performance.now();
    const pause = pacer();
    const folders = new Map<string, FoundFolder>();
    const modules = new Map<string, ModuleLocation>();
    for (const root of this.roots) {
      const open: { path: string; depth: number }[] = [{ path: root, depth: 0 }];
      for (let next = open.pop(); next !== undefined; next = open.pop()) {
        await pause();
        const { path, depth } = next;
        const folder = this.#folder(path);
        if (!folder) continue;
        if (folder.configFile) {
          folders.set(path, this.#foundFolder(path, folder.configFile, folder.linked));
          continue;
        }
        for (const source of folder.sources) {
          if (this.#hasActions(source)) modules.set(source, toModule(root, source));
        }
        if (depth < maxDepth) open.push(...folder.subfolders.map((child) => ({ path: child, depth: depth + 1 })));
      }
    }
    this.#found = {
      folders: [...folders.values()].sort((a, b) => compareText(a.location.folder, b.location.folder)),
      modules: [...modules.values()].sort((a, b) => compareText(a.code, b.code)),
    };
    this.#foundAt = startedAt;
    return this.#found;
  }

  #folder(path: string): Folder | undefined {
    const known = this.#folders.get(path);
    if (known && isUnchanged(path, known.stamp)) return known;
    const stamp = stampOf(path);
    const folder = stamp && toFolder(path, stamp);
    if (folder) this.#folders.set(path, folder);
    else this.#folders.delete(path);
    return folder;
  }

  #foundFolder(folder: string, configFile: string, linked: boolean): FoundFolder {
    const path = (linked ? realPath(configFile) : configFile) ?? configFile;
    const location = { kind: "folder", folder, configFile: path } as const;
    const config = this.config(path);
    if (config instanceof PluginRunnerError) return { location, code: basename(folder), version: "", config };
    return { location, code: config.code, version: config.version, config };
  }

  #hasActions(path: string): boolean {
    return remember(
      this.#sources,
      path,
      (stamp) => stamp.size <= maxSourceBytes && showsActions(path),
      () => false,
    );
  }
}

/** The module that a source file is, named from the root that it stands under. */
export function toModule(root: string, file: string): ModuleLocation {
  const path = relative(root, file);
  const parts = path.slice(0, -extname(path).length).split("/");
  const language = extname(path) === ".py" ? "python" : "javascript";
  if (parts.length > 1 && parts.at(-1) === (language === "python" ? "__init__" : "index")) parts.pop();
  const code = parts.join(".");
  const [top = path] = path.split("/");
  return {
    kind: "module",
    language,
    code,
    root,
    module: language === "python" ? code : `./${path}`,
    file,
    content: join(root, top),
  };
}

function toFolder(path: string, stamp: Stamp): Folder | undefined {
  const entries = list(path);
  if (!entries) return undefined;
  const config = configNames
    .map((name) => entries.find((entry) => entry.name === name && !entry.isDirectory()))
    .find((entry) => entry !== undefined);
  const visible = entries.filter((entry) => !isIgnoredName(entry.name));
  return {
    stamp,
    configFile: config && join(path, config.name),
    linked: config?.isSymbolicLink() ?? false,
    subfolders: visible.filter((entry) => entry.isDirectory()).map((entry) => join(path, entry.name)),
    sources: visible.filter((entry) => entry.isFile() && isSource(entry.name)).map((entry) => join(path, entry.name)),
  };
}

function list(path: string): Dirent[] | undefined {
  try {
    return readdirSync(path, { withFileTypes: true });
  } catch {
    return undefined; // not a folder, or not for this service to read: no plugin is in it
  }
}

function isSource(name: string): boolean {
  return /\.(py|[cm]?[jt]s)$/.test(name) && !/\.d\.[cm]?ts$/.test(name);
}

function showsActions(path: string): boolean {
  const text = readFileSync(path, "utf8");
  return path.endsWith(".py") ? showsPythonActions(text) : declaresActions(text);
}

function readOrExplain(path: string): PluginConfig | PluginRunnerError {
  try {
    return readConfig(path);
  } catch (error) {
    if (error instanceof PluginRunnerError) return error;
    throw error;
  }
}

function unreadable(path: string): PluginRunnerError {
  const file = basename(path);
  return new PluginRunnerError("PLUGIN_INVALID", `${file} cannot be read, or is a link out of the plugin roots.`, {
    metadata: { file },
  });
}

function realPath(path: string): string | undefined {
  try {
    return realpathSync(path);
  } catch {
    return undefined; // a link to nothing
  }
}

function remember<T>(known: Map<string, Remembered<T>>, path: string, read: (stamp: Stamp) => T, absent: () => T): T {
  const before = known.get(path);
  if (before && isUnchanged(path, before.stamp)) return before.value;
  const stamp = stampOf(path);
  if (!stamp) {
    known.delete(path);
    return absent();
  }
  const value = read(stamp);
  known.set(path, { stamp, value });
  return value;
}
