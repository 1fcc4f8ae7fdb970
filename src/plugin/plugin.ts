import type { JsonObject } from "@bufbuild/protobuf";
import type { Plugin, Resources } from "../../gen/ts/pluginrunner/v1/plugin_pb.ts";
import type { Violation } from "../errors.ts";
import type { Carried } from "../util/non-finite.ts";
import type { Binding, DescribedAction, ScannedAction } from "../worker/messages.ts";
import type { SchemaProblem } from "./broken-defaults.ts";
import type { PluginSource } from "./plugin-source.ts";

/** What has to be installed before a plugin's code can be loaded. */
export interface Requirements {
  /** SHA-256 over everything below and the content of the files it names: the same digest, the same environment. */
  digest: string;
  manager: "pip" | "uv" | "npm";
  /** `requirements.txt` or `package.json`, absolute. */
  file: string;
  /** Further arguments for the package manager, from `package_manager_options`. */
  options: readonly string[];
  /** A folder of wheels to install from as well, absolute; empty for none. */
  wheelsDir: string;
}

/** One version of a plugin's content, ready to be run. Immutable: changed files make another one. */
export interface LoadedPlugin {
  /** What clients see. Its actions have the schemas that the configuration declares; `describe` fills in the rest. */
  readonly info: Plugin;
  /** `packages` is what is there without an environment: what is built from `requirements` goes before it. */
  readonly binding: Binding;
  readonly requirements: Requirements | undefined;
  /** What the configuration says of an environment on a cluster, but for `env_vars`, which are in the binding. */
  readonly runtimeEnv?: JsonObject;
  /** Where its content was read. Absent for what stands nowhere in the roots, and for a snapshot. */
  readonly source?: PluginSource;
  /** The name of the snapshot that it is; absent for the plugin itself. */
  readonly kept?: string;
}

/** One action of a plugin, ready to be run. */
export interface LoadedAction {
  readonly plugin: LoadedPlugin;
  readonly name: string;
  readonly entrypoint: string;
  /** Checks and completes params by the JSON Schema that stands in the configuration or in JavaScript code.
   *  Undefined where only the action's own code can tell: Python's models have the last word. */
  readonly validator: ParamsValidator | undefined;
  /** From the configuration, in milliseconds; undefined for no limit. */
  readonly timeoutMs: number | undefined;
  readonly resources: Resources | undefined;
}

export interface ParamsValidator {
  /**
   * Fills in defaults, in place, and returns what the action does not use of the params. Throws PARAMS_INVALID with every
   * violation. NaN and infinities stand as numbers in the params.
   */
  (params: JsonObject): readonly Violation[];
  /** Whether there may be defaults to fill in. */
  readonly fillsDefaults?: boolean;
  /** Whether a NaN or an infinity is among the defaults. */
  readonly fillsNonFinite?: boolean;
  /** What the schema's author should know of. */
  readonly problems?: readonly SchemaProblem[];
}

/** Params that an action takes. */
export interface ValidParams {
  /** With defaults filled in. */
  params: Carried<JsonObject>;
  /** What the action does not use of them. */
  warnings: readonly Violation[];
}

/** What discovery needs of a process that may load plugin code. */
export interface Inspector {
  /** Builds what the plugin's code needs, so that no time limit of loading it covers the build. */
  prepare?(plugin: LoadedPlugin, signal: AbortSignal): Promise<void>;
  /** The actions of a Python module or folder, found without running it. */
  scan(root: string, module: string, signal: AbortSignal): Promise<ScannedAction[]>;
  /**
   * The actions as the loaded code describes them in an environment with `env`; all that the code declares when
   * `entrypoints` is empty.
   */
  describe(
    plugin: LoadedPlugin,
    entrypoints: Readonly<Record<string, string>>,
    signal: AbortSignal,
    env?: Readonly<Record<string, string>>,
  ): Promise<DescribedAction[]>;
}
