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

/** What a version of a plugin was made from. */
interface Version {
  content: string;
  actions: PluginActions;
}

/** One place that holds a plugin, and the newest version that was read of it. */
export class PluginSlot {
  readonly key: string;
  readonly location: Location;
  /** Set from outside when something changed since the newest version was read. */
  dirty = false;
  readonly #discovery: Discovery;
  readonly #trees: Trees;
  readonly #restless = new RestlessFiles();
  #tree: FileTree | undefined;
  #newest: Version | undefined;

  constructor(key: string, location: Location, discovery: Discovery, trees: Trees) {
    this.key = key;
    this.location = location;
    this.#discovery = discovery;
    this.#trees = trees;
  }

  /** The newest version that was read, if any can be used. */
  get plugin(): LoadedPlugin | undefined {
    return this.#newest?.actions.plugin;
  }

  /** The folders that its files stand in. */
  get folders(): readonly string[] {
    if (this.location.kind === "module" && this.location.file === this.location.content) {
      return this.location.file === "" ? [] : [dirname(this.location.file)];
    }
    return [...(this.#tree?.folders.keys() ?? [])];
  }

  /**
   * The plugin as it was at the time `notBefore` or later: the same object as long as its content is the same.
   * @throws PLUGIN_INVALID, PLUGIN_NOT_FOUND
   */
  async read(notBefore: number, sources: ActionSources): Promise<PluginActions> {
    this.dirty = false;
    try {
      this.#newest = await this.#version(notBefore, sources);
      return this.#newest.actions;
    } catch (error) {
      this.#newest = undefined;
      throw error;
    }
  }

  async #version(notBefore: number, sources: ActionSources): Promise<Version> {
    const { location } = this;
    if (location.kind === "module") {
      const content = await this.#content(location.content, notBefore);
      return this.#as(content, () => new PluginActions(loadModule(location, content), nothingDeclared, sources));
    }
    const tree = await this.#content(location.folder, notBefore);
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

  async #content(path: string, notBefore: number): Promise<string> {
    this.#tree = path === "" ? undefined : await this.#trees.read(path, notBefore);
    if (this.#tree) this.#restless.see(this.#tree);
    return this.#tree?.digest ?? "";
  }

  #files(): string[] {
    return [...(this.#tree?.files.keys() ?? [])];
  }
}

function usable(config: PluginConfig | PluginRunnerError): PluginConfig {
  if (config instanceof PluginRunnerError) throw config;
  return config;
}
