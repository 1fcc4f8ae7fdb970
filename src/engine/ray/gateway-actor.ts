import type { JsonObject } from "@bufbuild/protobuf";
import type { Resources } from "../../../gen/ts/pluginrunner/v1/plugin_pb.ts";
import type { LoadedPlugin } from "../../plugin/plugin.ts";
import { type NodePackages, nodeModules } from "./job-submission.ts";
import type { Packages } from "./packages.ts";
import { runtimeEnvOf } from "./runtime-env.ts";

export interface ActorSources {
  packages: Pick<Packages, "library" | "files">;
  nodePackages: NodePackages;
}

/**
 * Options of the actor for a plugin's worker, by Ray's names. Empty for a plugin that needs neither packages nor
 * resources: any actor will do.
 * @param code the URI of the plugin's package, which its requirements may refer to
 */
export async function actorOptions(
  plugin: LoadedPlugin,
  code: string | undefined,
  resources: Resources | undefined,
  sources: ActorSources,
  signal: AbortSignal,
): Promise<JsonObject> {
  const { cpus, gpus, memoryMib, custom = {} } = resources ?? {};
  const environment = await actorEnvironment(plugin, code, sources, signal);
  return {
    ...(environment && { runtime_env: environment }),
    ...(cpus !== undefined && { num_cpus: cpus }),
    ...(gpus !== undefined && { num_gpus: gpus }),
    ...(memoryMib !== undefined && { memory: memoryMib * 1024 ** 2 }),
    ...(Object.keys(custom).length > 0 && { resources: custom }),
  };
}

async function actorEnvironment(
  plugin: LoadedPlugin,
  code: string | undefined,
  sources: ActorSources,
  signal: AbortSignal,
): Promise<JsonObject | undefined> {
  const environment = runtimeEnvOf(plugin);
  const node = await nodeModules(plugin, sources, {}, signal);
  if (Object.keys(environment).length === 0 && node.length === 0) return undefined;
  // What an actor says of modules takes the place of what its job says.
  const modules = node.length === 0 ? undefined : [await sources.packages.library(signal), ...node];
  return { ...environment, ...(code !== undefined && { working_dir: code }), ...(modules && { py_modules: modules }) };
}
