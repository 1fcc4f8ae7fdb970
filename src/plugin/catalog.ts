import { realpathSync, statSync } from "node:fs";
import { clone, create } from "@bufbuild/protobuf";
import { type Plugin, PluginIssueSchema, PluginSchema } from "../../gen/ts/pluginrunner/v1/plugin_pb.ts";
import { PluginRunnerError, shuttingDown } from "../errors.ts";
import { abortable } from "../util/abortable.ts";
import { compareText } from "../util/compare-text.ts";
import { type Log, silentLog } from "../util/log.ts";
import { pacer } from "../util/pace.ts";
import { rarely } from "../util/rarely.ts";
import { Discovery } from "./discovery.ts";
import { FolderWatcher } from "./folder-watcher.ts";
import { brokenPlugin, nothingDeclared } from "./load-plugin.ts";
import { type Location, locationKey } from "./location.ts";
import { isPathLike } from "./path-reference.ts";
import type { Inspector, LoadedAction, LoadedPlugin } from "./plugin.ts";
import { PluginActions } from "./plugin-actions.ts";
import { PluginSlot, type TellChange } from "./plugin-slot.ts";
import { resolveReference, splitVersion } from "./reference.ts";
import { Trees } from "./trees.ts";

/** A plugin in use is looked at this often, in case that watching it did not tell of a change. */
const recheckMs = 2000;

/** Callers may name one plugin in many ways: only so many are remembered. */
const maxReferences = 1000;

export interface CatalogOptions {
  /** Folders that plugins stand in. */
  roots: readonly string[];
  /** Python modules that may be run although they stand elsewhere; each with its submodules. */
  allowModules: readonly string[];
  inspector: Inspector;
  /** What was read already of the roots. Default: nothing. */
  trees?: Trees;
  log?: Log;
}

/** What is known of an action before its code is loaded. */
export interface Glance {
  action: string;
  /** Empty where only the code can tell. */
  entrypoint: string;
  /** Whether a schema outside of the code has validated the params. */
  bySchema: boolean;
}

/** What a reference led to, and when that was looked up. */
interface Reference {
  slot: PluginSlot;
  /** A newer version of the slot is looked at again: it may not be what the reference names. */
  plugin: LoadedPlugin;
  checkedAt: number;
}

/**
 * The plugins under the roots. What was asked for before costs a look into a map; changed files make a new version of a
 * plugin, while calls in flight keep the old one. Runs no plugin code itself.
 */
export class Catalog implements AsyncDisposable {
  readonly #discovery: Discovery;
  readonly #allowModules: readonly string[];
  readonly #inspector: Inspector;
  readonly #log: Log;
  readonly #tellChange: TellChange;
  readonly #watcher: FolderWatcher;
  readonly #trees: Trees;
  readonly #closed = new AbortController();
  readonly #slots = new Map<string, PluginSlot>();
  readonly #references = new Map<string, Reference>();
  readonly #looking = new Map<string, Promise<LoadedPlugin>>();
  readonly #actions = new WeakMap<LoadedPlugin, PluginActions>();
  readonly #slotOf = new WeakMap<LoadedPlugin, PluginSlot>();

  /** @throws REQUEST_INVALID when a root is not a folder */
  constructor({ roots, allowModules, inspector, trees = new Trees(), log = silentLog }: CatalogOptions) {
    this.#trees = trees;
    this.#discovery = new Discovery([...new Set(roots.map(realRoot))]);
    this.#allowModules = allowModules;
    this.#inspector = inspector;
    this.#log = log;
    const tell = rarely(log);
    this.#tellChange = (plugin, change) =>
      tell(plugin, "info", "files of a plugin changed: its next calls get new workers", { plugin, ...change });
    this.#watcher = new FolderWatcher(log);
  }

  /** The plugin, when it was loaded before and nothing is known to have changed in the last two seconds. */
  peek(reference: string): LoadedPlugin | undefined {
    const known = this.#references.get(reference);
    if (!known || known.slot.dirty || known.slot.hasOwnWrites || performance.now() - known.checkedAt > recheckMs)
      return undefined;
    return known.slot.plugin === known.plugin ? known.plugin : undefined;
  }

  /** Makes the next `load` of a reference look, whatever is known: its plugin was seen to have changed. */
  forget(reference: string): void {
    this.#references.delete(reference);
  }

  /**
   * The newest version of the plugin that a reference names. Where it is to run `action`, that has seen what other actions
   * wrote into the plugin's directory.
   * @throws PLUGIN_NOT_FOUND, PLUGIN_INVALID, PATH_FORBIDDEN, REQUEST_INVALID, or the signal's reason
   */
  async load(reference: string, signal: AbortSignal, action?: string): Promise<LoadedPlugin> {
    const known = this.peek(reference);
    if (known) return known;
    const key = `${action ?? ""}\0${reference}`;
    let looking = this.#looking.get(key);
    if (!looking) {
      looking = this.#look(reference, action).finally(() => this.#looking.delete(key));
      this.#looking.set(key, looking);
    }
    return abortable(looking, signal);
  }

  /** To be called when a run of an action begins; what it returns, once the run has ended. */
  begin(plugin: LoadedPlugin, action: string): () => void {
    return this.#slotOf.get(plugin)?.begin(action) ?? (() => {});
  }

  /** The action, when it was found before. */
  peekAction(plugin: LoadedPlugin, name: string, entrypoint: string): LoadedAction | undefined {
    return this.#actions.get(plugin)?.peek(name, entrypoint);
  }

  /**
   * An action of a plugin, by its name or by an entry point that skips discovery. `env` are the request's variables, which
   * its code may need to be loaded.
   * @throws ACTION_NOT_FOUND, PLUGIN_INVALID, MODULE_FORBIDDEN, REQUEST_INVALID, or the signal's reason
   */
  async action(
    plugin: LoadedPlugin,
    name: string,
    entrypoint: string,
    signal: AbortSignal,
    env: Readonly<Record<string, string>> = {},
  ): Promise<LoadedAction> {
    const actions = this.#actionsOf(plugin);
    return actions.peek(name, entrypoint) ?? actions.find(name, entrypoint, env, signal);
  }

  /**
   * What can be told of an action without its code: see `PluginActions.glance`.
   * @throws what `action` throws, where no code is needed to know it
   */
  async glance(plugin: LoadedPlugin, name: string, entrypoint: string, signal: AbortSignal): Promise<LoadedAction> {
    return this.#actionsOf(plugin).glance(name, entrypoint, signal);
  }

  /** Finds the rest of a glance in the code of a plugin that was kept since: see `PluginActions.complete`. */
  complete(plugin: LoadedPlugin, seen: Glance, env: Readonly<Record<string, string>>, signal: AbortSignal) {
    const sources = { inspector: this.#inspector, allowModules: this.#allowModules, closed: this.#closed.signal };
    const actions = new PluginActions(plugin, nothingDeclared, sources);
    return actions.complete(seen.action, seen.entrypoint, seen.bySchema, env, signal);
  }

  /** All plugins, sorted by code. One that cannot be read has no actions, and an issue that says why. */
  async list(signal: AbortSignal): Promise<Plugin[]> {
    const startedAt = performance.now();
    const { folders, modules } = await abortable(this.#discovery.find(0), signal);
    const pause = pacer();
    const plugins: Plugin[] = [];
    for (const location of [...folders.map((folder) => folder.location), ...modules]) {
      signal.throwIfAborted();
      plugins.push(await this.#listed(location, startedAt, signal));
      await pause();
    }
    const sorted = plugins.sort((a, b) => compareText(a.code, b.code) || compareText(a.path, b.path));
    return withDuplicates(sorted, new Set(modules.map(({ file }) => file)));
  }

  /** The plugin with all its actions and schemas; loads its code where the configuration does not say. */
  async describe(plugin: LoadedPlugin, signal: AbortSignal): Promise<Plugin> {
    return this.#actionsOf(plugin).described(signal);
  }

  /** Ends what watches files. Requests under way for a catalog that is closed end with its signal's reason. */
  close(): void {
    this.#closed.abort(shuttingDown());
    this.#watcher.close();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.close();
  }

  /** What a look not long ago found may have been moved, or may be another version by now: then it looks again. */
  async #look(reference: string, action: string | undefined): Promise<LoadedPlugin> {
    const startedAt = performance.now();
    try {
      const plugin = await this.#lookOnce(reference, action, startedAt, undefined);
      if (isMeant(plugin, reference)) return plugin;
    } catch (error) {
      if (!(error instanceof PluginRunnerError) || error.reason !== "PLUGIN_NOT_FOUND") throw error;
    }
    return this.#lookOnce(reference, action, performance.now(), 0);
  }

  async #lookOnce(
    reference: string,
    action: string | undefined,
    startedAt: number,
    maxAgeMs: number | undefined,
  ): Promise<LoadedPlugin> {
    const location = await resolveReference(reference, this.#discovery, this.#allowModules, maxAgeMs);
    const slot = this.#slot(location);
    const plugin = await this.#read(slot, startedAt, action);
    const watched = this.#watcher.watch(slot.key, slot.folders, () => {
      slot.dirty = true;
    });
    // What changed between reading and watching is seen by the next look, which a new watch makes come at once.
    const checkedAt = watched === "anew" ? Number.NEGATIVE_INFINITY : startedAt;
    if (this.#references.size >= maxReferences) this.#forgetReferences();
    this.#references.set(reference, { slot, plugin, checkedAt });
    return plugin;
  }

  /** Of a module that is installed elsewhere the name is all there is, so callers can make up as many as they like. */
  #forgetReferences(): void {
    this.#references.clear();
    for (const [key, { location }] of this.#slots) {
      if (location.kind === "module" && location.root === "") this.#slots.delete(key);
    }
  }

  #slot(location: Location): PluginSlot {
    const key = locationKey(location);
    const slot = this.#slots.get(key) ?? new PluginSlot(key, location, this.#discovery, this.#trees, this.#tellChange);
    this.#slots.set(key, slot);
    return slot;
  }

  async #read(slot: PluginSlot, notBefore: number, action?: string): Promise<LoadedPlugin> {
    const sources = { inspector: this.#inspector, allowModules: this.#allowModules, closed: this.#closed.signal };
    const actions = await slot.read(notBefore, sources, action);
    this.#actions.set(actions.plugin, actions);
    this.#slotOf.set(actions.plugin, slot);
    return actions.plugin;
  }

  async #listed(location: Location, notBefore: number, signal: AbortSignal): Promise<Plugin> {
    try {
      const plugin = await this.#read(this.#slot(location), notBefore);
      return await this.#actionsOf(plugin).listed(signal);
    } catch (error) {
      signal.throwIfAborted();
      const known = PluginRunnerError.from(error);
      if (known !== error) this.#log("error", "a plugin cannot be listed", { key: locationKey(location), error });
      return brokenPlugin(location, known);
    }
  }

  #actionsOf(plugin: LoadedPlugin): PluginActions {
    const actions = this.#actions.get(plugin);
    if (!actions) throw new Error("The plugin is of another catalog.");
    return actions;
  }
}

function realRoot(root: string): string {
  if (statSync(root, { throwIfNoEntry: false })?.isDirectory()) return realpathSync(root);
  throw new PluginRunnerError("REQUEST_INVALID", `The plugin root ${root} is not a folder.`, { metadata: { root } });
}

/** Whether a plugin still has the code and version that it was found by. */
function isMeant({ info }: LoadedPlugin, reference: string): boolean {
  if (isPathLike(reference)) return true;
  const [code, version] = splitVersion(reference);
  return info.code === code && (version === undefined || info.version === version);
}

/** Says so of each plugin that its code cannot reach, since another one is called the same. */
function withDuplicates(plugins: readonly Plugin[], modules: ReadonlySet<string>): Plugin[] {
  const named = Map.groupBy(plugins, ({ code }) => code);
  return plugins.map((plugin) => {
    const { code, version, path } = plugin;
    const others = (named.get(code) ?? []).filter(
      (other) => other !== plugin && (other.version === version || modules.has(path) || modules.has(other.path)),
    );
    if (others.length === 0 || version === "") return plugin;
    const copy = clone(PluginSchema, plugin);
    const message = `${code} is the name of other plugins too: ${others.map((other) => other.path).join(", ")}. Rename all but one, give them different versions, or ask by a path.`;
    copy.issues.push(create(PluginIssueSchema, { message, file: modules.has(path) ? "" : "config.yaml" }));
    return copy;
  });
}
