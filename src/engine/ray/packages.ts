import { PluginRunnerError } from "../../errors.ts";
import type { LoadedPlugin } from "../../plugin/plugin.ts";
import { unchangedTree } from "../../plugin/plugin-source.ts";
import { Trees } from "../../plugin/trees.ts";
import { SharedWork } from "../../util/shared-work.ts";
import type { Dashboard } from "./dashboard.ts";
import { DashboardError } from "./dashboard-error.ts";
import { libraryFiles, type PackageFile, pluginFiles } from "./package-files.ts";
import { maxPackageBytes, type Package, packFiles, packText } from "./package-zip.ts";

/** The names of so many packages are remembered, so that their files need not be packed again to know them. */
const maxNames = 1000;

export interface PackagesOptions {
  dashboard: Dashboard;
  /** The largest package, in bytes. Default: 100 MiB. */
  maxBytes?: number;
}

/**
 * Brings files to a cluster as packages, each once: a cluster keeps them by name, and names come from the content. What
 * is asked for is there when the promise resolves, and stays for ten minutes or as long as a job or an actor uses it.
 */
export class Packages {
  readonly #dashboard: Dashboard;
  readonly #maxBytes: number;
  readonly #trees = new Trees();
  /** Names by what was packed. */
  readonly #names = new Map<string, string>();
  readonly #uploads = new Map<string, SharedWork<string>>();

  constructor({ dashboard, maxBytes = maxPackageBytes }: PackagesOptions) {
    this.#dashboard = dashboard;
    this.#maxBytes = maxBytes;
  }

  /**
   * The URI of a plugin's files, for `working_dir`; undefined for a plugin that stands nowhere in the roots.
   * @throws PLUGIN_INVALID when they are too large, PLUGIN_CHANGED when they are no longer those of the plugin's digest
   */
  async plugin(plugin: LoadedPlugin, signal: AbortSignal): Promise<string | undefined> {
    if (plugin.binding.root === "" || plugin.info.path === "") return undefined;
    const what = `Plugin ${plugin.info.code}`;
    const check = async () => void (await unchangedTree(plugin, this.#trees));
    return this.#files(`plugin ${plugin.binding.digest}`, what, () => pluginFiles(plugin), signal, check);
  }

  /** The URI of the library that workers and jobs are made of, for `py_modules`. */
  library(signal: AbortSignal): Promise<string> {
    return this.#files("library", "The worker library", async () => libraryFiles(), signal);
  }

  /** The URI of a package of these files. `key` names their content. */
  files(key: string, what: string, files: () => Promise<PackageFile[]>, signal: AbortSignal): Promise<string> {
    return this.#files(`files ${key}`, what, files, signal);
  }

  /** The URI of a package that holds one file with this text, for `py_modules`. */
  async text(name: string, text: string, signal: AbortSignal): Promise<string> {
    const made = await packText(name, text);
    await this.#upload(made, signal);
    return uriOf(made.name);
  }

  /** At one time, callers who want the same share the work. */
  #files(
    key: string,
    what: string,
    files: () => Promise<PackageFile[]>,
    signal: AbortSignal,
    check?: () => Promise<void>,
  ): Promise<string> {
    const known = this.#uploads.get(key);
    if (known) return known.get(signal);
    const work = new SharedWork(() => this.#bring(key, what, files, check).finally(() => this.#uploads.delete(key)));
    this.#uploads.set(key, work);
    return work.get(signal);
  }

  /** `check` throws when the files are not those that the key names. */
  async #bring(
    key: string,
    what: string,
    files: () => Promise<PackageFile[]>,
    check: () => Promise<void> = async () => {},
  ): Promise<string> {
    const known = this.#names.get(key);
    if (known !== undefined && (await this.#dashboard.hasPackage(known))) return uriOf(known);
    const made = await packFiles(what, await files(), this.#maxBytes);
    await check();
    if (this.#names.size >= maxNames) this.#names.clear();
    this.#names.set(key, made.name);
    await this.#upload(made);
    return uriOf(made.name);
  }

  /** Asking whether it is there also keeps it from being removed. */
  async #upload({ name, content }: Package, signal?: AbortSignal): Promise<void> {
    if (await this.#dashboard.hasPackage(name, signal)) return;
    try {
      await this.#dashboard.putPackage(name, content, signal);
    } catch (error) {
      throw error instanceof DashboardError && error.fault === "too_large" ? refused(content.length) : error;
    }
  }
}

function uriOf(name: string): string {
  return `gcs://${name}`;
}

function refused(size: number): PluginRunnerError {
  return new PluginRunnerError(
    "PLUGIN_INVALID",
    `The Ray dashboard does not take a package of ${size} bytes. List what is not code in the plugin's .pluginrunnerignore, or raise the dashboard's limit.`,
    { metadata: { size_bytes: String(size) } },
  );
}
