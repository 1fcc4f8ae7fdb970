import { createHash, randomUUID } from "node:crypto";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { mkdir, readFile, rename, rm, writeFile } from "node:fs/promises";
import { dirname, join, relative } from "node:path";
import { fromJson, toJson } from "@bufbuild/protobuf";
import { PluginSchema } from "../../gen/ts/pluginrunner/v1/plugin_pb.ts";
import { hasCode } from "../util/has-code.ts";
import type { Log } from "../util/log.ts";
import { isInside } from "./entrypoint.ts";
import type { FileTree } from "./file-tree.ts";
import { moveLeftBehind } from "./left-behind.ts";
import type { LoadedPlugin, Requirements } from "./plugin.ts";
import { pluginChanged, unchangedTree } from "./plugin-source.ts";
import { requiredPaths } from "./requirements.ts";
import { type Copied, isIntact, layOut, restamp, rootName, type SnapshotLimits, TooLarge } from "./snapshot-files.ts";
import type { Trees } from "./trees.ts";

const mebibyte = 1024 ** 2;
const defaultLimits: SnapshotLimits = { maxBytes: 256 * mebibyte, maxFiles: 10_000 };

export interface SnapshotsOptions {
  /** Nobody else writes there. */
  dir: string;
  /** Where files go that jobs wrote into a snapshot. */
  leftBehind: string;
  /** Below it stands the compiled code of Python files, by their paths. */
  compiled: string;
  trees: Trees;
  limits?: SnapshotLimits;
  log: Log;
}

/** What is written beside the files of a snapshot once they are complete. */
interface Manifest {
  info: ReturnType<typeof toJson>;
  binding: LoadedPlugin["binding"];
  requirements: Requirements | undefined;
  runtimeEnv: LoadedPlugin["runtimeEnv"];
  copied: Copied;
}

/** A snapshot that can be run from. */
interface Kept {
  folder: string;
  plugin: LoadedPlugin;
  copied: Copied;
}

/**
 * Keeps the files of plugins as they were, once for each content, for the jobs that were submitted with them: whatever
 * becomes of a plugin meanwhile, also while the service is away, a job runs what its record names.
 */
export class Snapshots {
  readonly #dir: string;
  readonly #leftBehind: string;
  readonly #compiled: string;
  readonly #trees: Trees;
  readonly #limits: SnapshotLimits;
  readonly #log: Log;
  readonly #kept = new Map<string, Kept>();
  /** How many jobs need a name. */
  readonly #claims = new Map<string, number>();
  /** What is done with one name is done one after another. */
  readonly #work = new Map<string, Promise<unknown>>();

  constructor({ dir, leftBehind, compiled, trees, limits = defaultLimits, log }: SnapshotsOptions) {
    this.#dir = dir;
    this.#leftBehind = leftBehind;
    this.#compiled = compiled;
    this.#trees = trees;
    this.#limits = limits;
    this.#log = log;
  }

  /**
   * The plugin on files that nobody changes, for one job, until its `kept` is released. A plugin that is too large, or
   * stands nowhere in the roots, is returned as it is, without a `kept`.
   * @throws PLUGIN_CHANGED when its files are others by now
   */
  async keep(plugin: LoadedPlugin): Promise<LoadedPlugin> {
    const name = nameOf(plugin, await unchangedTree(plugin, this.#trees));
    this.claim(name);
    try {
      const kept = await this.#inTurn(name, () => this.#keep(name, plugin));
      if (kept === plugin) this.release(name);
      return kept;
    } catch (error) {
      this.release(name);
      throw error;
    }
  }

  /** What was kept under a name; undefined when that is not there, or was changed. */
  async find(name: string): Promise<LoadedPlugin | undefined> {
    return (await this.#inTurn(name, () => this.#find(name)))?.plugin;
  }

  /**
   * Whether what `keep` or `find` returned is still what its digest names.
   * @throws PLUGIN_CHANGED
   */
  async check(plugin: LoadedPlugin): Promise<void> {
    if (plugin.kept === undefined) await unchangedTree(plugin, this.#trees);
    else if ((await this.find(plugin.kept)) !== plugin) throw pluginChanged(plugin);
  }

  /** Keeps what is kept under a name until one more `release`. */
  claim(name: string): void {
    this.#claims.set(name, (this.#claims.get(name) ?? 0) + 1);
  }

  /** Removes what is kept under a name when no other job needs it. */
  release(name: string): void {
    const left = (this.#claims.get(name) ?? 1) - 1;
    if (left > 0) {
      this.#claims.set(name, left);
      return;
    }
    this.#claims.delete(name);
    this.#inTurn(name, () => this.#removeUnclaimed(name)).catch((error: unknown) => {
      this.#log("warn", "the files that jobs ran from could not be removed", { name, error });
    });
  }

  /** Removes everything that no job has claimed. */
  async sweep(): Promise<void> {
    const names = new Set(this.#folders().map((folder) => folder.split(".")[0] ?? ""));
    for (const name of names) await this.#inTurn(name, () => this.#removeUnclaimed(name));
  }

  async #keep(name: string, plugin: LoadedPlugin): Promise<LoadedPlugin> {
    const tree = await unchangedTree(plugin, this.#trees);
    const { source } = plugin;
    if (!tree || !source) return plugin;
    if (nameOf(plugin, tree) !== name) throw pluginChanged(plugin);
    const known = await this.#find(name);
    if (known) return known.plugin;
    const folder = join(this.#dir, this.#freeName(name));
    try {
      const copied = await layOut({ ...plugin, source }, tree, folder, this.#limits);
      if (nameOf(plugin, await unchangedTree(plugin, this.#trees)) !== name) throw pluginChanged(plugin);
      const moved = relocated(plugin, name, join(folder, rootName(plugin)));
      await writeManifest(folder, moved, copied);
      this.#kept.set(name, { folder, plugin: moved, copied });
      return moved;
    } catch (error) {
      await rm(folder, { recursive: true, force: true });
      if (error instanceof TooLarge) return plugin;
      // A file that is gone while it is copied is a change as well.
      if (hasCode(error, "ENOENT")) throw pluginChanged(plugin);
      throw error;
    }
  }

  async #find(name: string): Promise<Kept | undefined> {
    const known = this.#kept.get(name);
    if (known && (await isIntact(known.folder, known.copied))) return known;
    for (const folder of this.#folders(name)) {
      const kept = readKept(join(this.#dir, folder), name);
      if (!kept || !(await isIntact(kept.folder, kept.copied))) continue;
      this.#kept.set(name, kept);
      return kept;
    }
    return undefined;
  }

  async #removeUnclaimed(name: string): Promise<void> {
    if (this.#claims.has(name)) return;
    this.#kept.delete(name);
    for (const each of this.#folders(name)) {
      const folder = join(this.#dir, each);
      await this.#rescue(folder, name);
      await rm(manifestOf(folder), { force: true });
      await rm(folder, { recursive: true, force: true, maxRetries: 5 });
      await rm(join(this.#compiled, folder), { recursive: true, force: true });
    }
  }

  /** What a job wrote into its working directory may be all that is left of its work. */
  async #rescue(folder: string, name: string): Promise<void> {
    const kept = readKept(folder, name);
    if (!kept) return;
    const { code } = kept.plugin.info;
    const place = join(this.#leftBehind, `${code.replaceAll(/[^\w.-]/g, "_")}-${randomUUID()}`);
    const count = await moveLeftBehind(folder, kept.copied, place);
    if (count === 0) return;
    this.#log("warn", "jobs wrote files into the plugin's directory instead of their own; they were moved", {
      plugin: code,
      files: count,
      place,
    });
  }

  /** The folders of a name, of all without one. Of those that a job wrote into there may be several. */
  #folders(name = ""): string[] {
    if (!existsSync(this.#dir)) return [];
    return readdirSync(this.#dir).filter(
      (each) => !each.endsWith(".json") && `${each}.`.startsWith(name === "" ? "" : `${name}.`),
    );
  }

  #freeName(name: string): string {
    for (let number = 1; ; number++) {
      const free = number === 1 ? name : `${name}.${number}`;
      if (!existsSync(join(this.#dir, free))) return free;
    }
  }

  #inTurn<T>(name: string, work: () => Promise<T>): Promise<T> {
    const before = this.#work.get(name) ?? Promise.resolve();
    const result = before.then(work, work);
    const settled = result
      .catch(() => {})
      .finally(() => {
        if (this.#work.get(name) === settled) this.#work.delete(name);
      });
    this.#work.set(name, settled);
    return result;
  }
}

/**
 * Another one for the same content in another place, where other packages stand beside it, and beside other files of its
 * own runs, which are copied too.
 */
function nameOf({ binding }: LoadedPlugin, tree: FileTree | undefined): string {
  const place = createHash("sha256").update(binding.root).digest("hex").slice(0, 8);
  return [binding.digest, place, ...(tree?.apart ? [tree.apart.digest.slice(0, 16)] : [])].join("-");
}

/** Lets the snapshots of a directory, which was copied from another place, be found there. */
export async function relocateSnapshots(dir: string, from: string, to: string): Promise<void> {
  const names = existsSync(dir) ? readdirSync(dir).filter((each) => each.endsWith(".json")) : [];
  for (const name of names) {
    const text = await readFile(join(dir, name), "utf8");
    const manifest: Manifest = JSON.parse(from === "" ? text : text.replaceAll(inJson(`${from}/`), inJson(`${to}/`)));
    const copied = await restamp(join(dir, name.slice(0, -".json".length)), manifest.copied);
    await writeFile(join(dir, name), JSON.stringify({ ...manifest, copied }));
  }
}

function inJson(text: string): string {
  return JSON.stringify(text).slice(1, -1);
}

/** The same plugin on files that stand elsewhere. */
function relocated(plugin: LoadedPlugin, kept: string, root: string): LoadedPlugin {
  const { binding, requirements, info, runtimeEnv } = plugin;
  const origin = binding.root;
  // Node looks for packages above a plugin, too.
  const packages = binding.language === "javascript" && !requirements ? join(origin, "node_modules") : "";
  return {
    info,
    kept,
    binding: { ...binding, root, origin, packages },
    requirements: requirements && movedRequirements(requirements, origin, root),
    ...(runtimeEnv && { runtimeEnv }),
  };
}

/** As they were, where all that they name stands in the plugin. */
function movedRequirements(requirements: Requirements, origin: string, root: string): Requirements {
  const paths = requiredPaths(requirements);
  if (!paths.every((path) => isInside(path, origin))) return requirements;
  const moved = (path: string) => (path === "" ? "" : join(root, relative(origin, path)));
  return { ...requirements, file: moved(requirements.file), wheelsDir: moved(requirements.wheelsDir) };
}

function manifestOf(folder: string): string {
  return `${folder}.json`;
}

async function writeManifest(folder: string, plugin: LoadedPlugin, copied: Copied): Promise<void> {
  const { info, binding, requirements, runtimeEnv } = plugin;
  const manifest: Manifest = { info: toJson(PluginSchema, info), binding, requirements, runtimeEnv, copied };
  const draft = `${folder}.draft.json`;
  await mkdir(dirname(folder), { recursive: true, mode: 0o700 });
  await writeFile(draft, JSON.stringify(manifest), { mode: 0o600 });
  await rename(draft, manifestOf(folder));
}

/** Undefined also where the manifest cannot be read: the machine may have stopped while it was written. */
function readKept(folder: string, name: string): Kept | undefined {
  try {
    return toKept(folder, name, JSON.parse(readFileSync(manifestOf(folder), "utf8")));
  } catch {
    return undefined;
  }
}

function toKept(folder: string, name: string, manifest: Manifest): Kept {
  const { info, binding, requirements, runtimeEnv, copied } = manifest;
  const plugin = {
    info: fromJson(PluginSchema, info),
    kept: name,
    binding,
    requirements,
    ...(runtimeEnv && { runtimeEnv }),
  };
  return { folder, plugin, copied };
}
