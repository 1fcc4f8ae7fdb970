import { PluginRunnerError, toErrorRecord } from "../errors.ts";
import type { Binding, WithinMessage } from "../worker/messages.ts";

/** What a call says whose plugin's code is not loaded in time. */
export function notLoaded(binding: Binding, entrypoints: readonly string[], seconds: number): PluginRunnerError {
  const file = commonFile(entrypoints);
  const message =
    `The code of ${shown(binding, file)} is not loaded after ${seconds} s. ` +
    "What a module does when it is imported has to end: move the rest into an action, or give serve a longer --load-timeout.";
  const metadata = { ...metadataOf(binding, file), timeout_seconds: String(seconds), option: "--load-timeout" };
  return new PluginRunnerError("PLUGIN_INVALID", message, { metadata });
}

/** The word by which a process has itself ended where it does not get `entrypoints` loaded in time. */
export function loadingWithin(binding: Binding, entrypoints: readonly string[], seconds: number): WithinMessage {
  const [loads = "", ...others] = entrypoints;
  const error = toErrorRecord(notLoaded(binding, entrypoints, seconds));
  return { type: "within", seconds, loads: others.length === 0 ? loads : "", error };
}

/** What is said of code whose import waits for what can never come. */
export function neverLoads(binding: Binding, entrypoints: readonly string[]): PluginRunnerError {
  const file = commonFile(entrypoints);
  const message = `The code of ${shown(binding, file)} never gets loaded: a top-level await waits, and nothing is left that could end it.`;
  return new PluginRunnerError("PLUGIN_INVALID", message, { metadata: metadataOf(binding, file) });
}

function shown({ code }: Binding, file: string): string {
  return file === "" ? code : `${code} (${file})`;
}

function metadataOf({ code }: Binding, file: string) {
  return { plugin: code, ...(file !== "" && { file }) };
}

/** Empty where there are several. */
function commonFile(entrypoints: readonly string[]): string {
  const files = new Set(entrypoints.map(fileOf));
  const [file = ""] = files.size > 1 ? [] : files;
  return file;
}

/** Relative to the plugin's root. */
function fileOf(entrypoint: string): string {
  return entrypoint.replace(/#[^#]*$/, "").replace(/^\.\//, "");
}
