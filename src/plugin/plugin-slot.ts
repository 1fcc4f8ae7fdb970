import { dirname } from "node:path";
import { PluginRunnerError } from "../errors.ts";
import type { PluginConfig } from "./config.ts";
import type { Discovery } from "./discovery.ts";
import type { FileTree } from "./file-tree.ts";
import { loadFolder, loadModule, nothingDeclared } from "./load-plugin.ts";
import type { Location } from "./location.ts";
import type { LoadedPlugin } from "./plugin.ts";
import { type ActionSources, PluginActions } from "./plugin-actions.ts";
import { RestlessFiles } from "./restless-files.ts";
import type { Trees } from "./trees.ts";

/** So many of the files that changed are named. */
const maxNamed = 3;

/** What a version of a plugin was made from. */
interface Version {
  content: string;
  actions: PluginActions;
}

/** Files of a plugin that has run have changed: its next calls get new workers. `files` are some of them. */
export type TellChange = (plugin: string, change: { files: readonly string[]; count: number }) => void;

/** One place that holds a plugin, and the newest version that was read of it. */
export class PluginSlot {
  readonly key: string;
  readonly location: Location;
  /** Set from outside when something changed since the newest version was read. */
  dirty = false;
  readonly #discovery: Discovery;
  readonly #trees: Trees;
  readonly #tell: TellChange;
  readonly #restless = new RestlessFiles();
  #tree: FileTree | undefined;
  #newest: Version | undefined;

  constructor(key: string, location: Location, discovery: Discovery, trees: Trees, tell: TellChange) {
    this.key = key;
    this.location = location;
    this.#discovery = discovery;
    this.#trees = trees;
    this.#tell = tell;
  }

  /** The newest version that was read, if any can be used. */
  get plugin(): LoadedPlugin | undefined {
    return this.#newest?.actions.plugin;
  }

  /** Whether its runs have written what does not count, as long as no other action is asked for. */
  get hasOwnWrites(): boolean {
    return this.#trees.writes(contentPath(this.location)).deferred;
  }

  /** To be called when a run begins; what it returns, once the run has ended. */
  begin(action: string): () => void {
    return this.#trees.begin(contentPath(this.location), action);
  }

  /** The folders that its files stand in. */
  get folders(): readonly string[] {
    if (this.location.kind === "module" && this.location.file === this.location.content) {
      return this.location.file === "" ? [] : [dirname(this.location.file)];
    }
    return [...(this.#tree?.folders.keys() ?? [])];
  }

  /**
   * The plugin as it was at the time `notBefore` or later: the same object as long as its content is the same. It is to run
   * `action`, if any.
   * @throws PLUGIN_INVALID, PLUGIN_NOT_FOUND
   */
  async read(notBefore: number, sources: ActionSources, action?: string): Promise<PluginActions> {
    this.dirty = false;
    try {
      this.#newest = await this.#version(notBefore, sources, action);
      return this.#newest.actions;
    } catch (error) {
      this.#newest = undefined;
      throw error;
    }
  }

  async #version(notBefore: number, sources: ActionSources, action: string | undefined): Promise<Version> {
    const { location } = this;
    if (location.kind === "module") {
      const content = await this.#content(notBefore, action);
      return this.#as(content, () => new PluginActions(loadModule(location, content), nothingDeclared, sources));
    }
    const tree = await this.#content(notBefore, action);
    const config = usable(this.#discovery.config(location.configFile));
    return this.#as(`${tree} ${config.digest}`, () => {
      const { plugin, declared } = loadFolder(location, config, tree, this.#files());
      plugin.info.issues.push(...this.#restless.issues);
      return new PluginActions(plugin, declared, sources);
    });
  }

  /** The newest version when it was made from the same content, else a new one. */
  #as(content: string, load: () => PluginActions): Version {
    return this.#newest?.content === content ? this.#newest : { content, actions: load() };
  }

  async #content(notBefore: number, action: string | undefined): Promise<string> {
    const path = contentPath(this.location);
    this.#tree = path === "" ? undefined : await this.#trees.read(path, notBefore, action);
    if (!this.#tree) return "";
    const changed = this.#restless.see(this.#tree);
    const known = this.plugin?.info.code;
    if (changed.length > 0 && known !== undefined && this.#trees.writes(path).hasRun) {
      this.#tell(known, { files: changed.slice(0, maxNamed), count: changed.length });
    }
    return this.#tree.digest;
  }

  #files(): string[] {
    return [...(this.#tree?.files.keys() ?? [])];
  }
}

/** What the digest covers; empty for what stands nowhere in the roots. */
function contentPath(location: Location): string {
  return location.kind === "module" ? location.content : location.folder;
}

function usable(config: PluginConfig | PluginRunnerError): PluginConfig {
  if (config instanceof PluginRunnerError) throw config;
  return config;
}
