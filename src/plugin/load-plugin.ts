import { createHash } from "node:crypto";
import { basename } from "node:path";
import { create } from "@bufbuild/protobuf";
import { durationFromMs } from "@bufbuild/protobuf/wkt";
import {
  ActionSchema,
  Language as LanguageName,
  type Plugin,
  type PluginIssue,
  PluginIssueSchema,
  PluginSchema,
} from "../../gen/ts/pluginrunner/v1/plugin_pb.ts";
import { PluginRunnerError } from "../errors.ts";
import { compareText } from "../util/compare-text.ts";
import type { Language } from "../worker/messages.ts";
import type { ActionConfig, PluginConfig } from "./config.ts";
import { entrypointFile, isInside, parseEntrypoint } from "./entrypoint.ts";
import { folderIssues } from "./folder-issues.ts";
import { issuePlace } from "./issue-place.ts";
import type { FolderLocation, Location, ModuleLocation } from "./location.ts";
import type { LoadedPlugin } from "./plugin.ts";
import { readRequirements } from "./requirements.ts";
import { readSchemaFile } from "./schema-file.ts";
import { type Place, schemaPlace } from "./schema-place.ts";
import { shownSchema } from "./shown-schema.ts";
import { isStandardModule } from "./standard-library.ts";

/** The actions that a configuration declares: those that can be run, and why the others cannot. */
export interface DeclaredActions {
  /** Schemas are read already. By name. */
  usable: ReadonlyMap<string, ActionConfig>;
  unusable: ReadonlyMap<string, PluginIssue>;
  /** Where a part of an action's params schema stands, by a JSON pointer into it. */
  schemaPlace?(action: string, pointer: string): Place | undefined;
}

/** Of a plugin whose actions stand in its code alone. */
export const nothingDeclared: DeclaredActions = { usable: new Map(), unusable: new Map() };

/**
 * A plugin of a folder, with what its configuration declares.
 * @param files of the folder, relative to it
 */
export function loadFolder(
  { folder, configFile }: FolderLocation,
  config: PluginConfig,
  contentDigest: string,
  files: readonly string[],
): { plugin: LoadedPlugin; declared: DeclaredActions } {
  const language = commonLanguage(config, files);
  const usable = new Map<string, ActionConfig>();
  const unusable = new Map(config.unusable);
  const issues = [...config.issues, ...folderIssues(folder, language, files)];
  const requirements = readRequirements(folder, language, config);
  for (const action of config.actions.values()) {
    const checked = checkAction(action, folder, language, basename(configFile));
    if ("message" in checked) unusable.set(action.name, checked);
    else usable.set(action.name, checked);
    if ("message" in checked) issues.push(checked);
    else if (!requirements) issues.push(...missingModule(action, folder, basename(configFile)));
  }
  const digest = createHash("sha256").update(`${config.digest}\n${contentDigest}`).digest("hex");
  const info = create(PluginSchema, {
    code: config.code,
    name: config.name,
    version: config.version,
    description: config.description,
    category: config.category,
    language: languageName(language),
    digest,
    path: folder,
    actions: [...usable.values()].sort((a, b) => compareText(a.name, b.name)).map(toAction),
    issues,
  });
  const { code, env, category } = config;
  const kind = category === "" ? {} : { category };
  const binding = { language, code, root: folder, module: "", digest, env, packages: "", ...kind };
  const { runtimeEnv } = config;
  const source = { tree: folder, treeDigest: contentDigest, configFile, configDigest: config.digest };
  const placeOf = (name: string, pointer: string) => {
    const action = config.actions.get(name);
    return action && schemaPlace(folder, configFile, action, pointer);
  };
  const declared = { usable, unusable, schemaPlace: placeOf };
  return { plugin: { info, binding, requirements, runtimeEnv, source }, declared };
}

/**
 * A plugin that is a module: its actions stand in its code.
 * @throws PLUGIN_INVALID when it has the name of a module of Python's standard library
 */
export function loadModule(
  { language, code, root, module, file, content }: ModuleLocation,
  contentDigest: string,
): LoadedPlugin {
  if (language === "python" && root !== "") checkModuleName(module, file);
  const digest = createHash("sha256").update(`${module}\n${contentDigest}`).digest("hex");
  const info = create(PluginSchema, {
    code,
    name: code,
    version: "0.1.0",
    language: languageName(language),
    digest,
    path: file,
  });
  const binding = { language, code, root, module, digest, env: {}, packages: "" };
  const source = { tree: content, treeDigest: contentDigest, configFile: "", configDigest: "" };
  return { info, binding, requirements: undefined, ...(content !== "" && { source }) };
}

/** A process has one module of a name: another would be the standard library's for all code, or never be imported. */
function checkModuleName(module: string, file: string): void {
  const [top = ""] = module.split(".");
  if (!isStandardModule(top)) return;
  throw new PluginRunnerError(
    "PLUGIN_INVALID",
    `${top} is a module of Python's standard library, which other code needs: a plugin of this name cannot be loaded. Rename it.`,
    { metadata: { module, file: basename(file) } },
  );
}

/** What a list shows of a plugin that cannot be loaded: where it is, and why. */
export function brokenPlugin(location: Location, error: PluginRunnerError): Plugin {
  const path = location.kind === "folder" ? location.folder : location.file;
  const code = location.kind === "folder" ? basename(location.folder) : location.code;
  const issue = { message: error.message, ...issuePlace(error.metadata) };
  return create(PluginSchema, { code, name: code, path, issues: [create(PluginIssueSchema, issue)] });
}

/** One process runs one language: the one that most actions are written in, or most files when none says. */
function commonLanguage({ actions }: PluginConfig, files: readonly string[]): Language {
  const languages = [...actions.values()].flatMap(({ entrypoint }) => parseEntrypoint(entrypoint)?.language ?? []);
  const named = count(languages, "javascript") - count(languages, "python");
  if (named !== 0) return named > 0 ? "javascript" : "python";
  if (files.some((file) => file.endsWith(".py"))) return "python";
  return files.some((file) => /\.[cm]?[jt]s$/.test(file)) ? "javascript" : "python";
}

function count<T>(values: readonly T[], wanted: T): number {
  return values.filter((value) => value === wanted).length;
}

function checkAction(
  action: ActionConfig,
  folder: string,
  language: Language,
  file: string,
): ActionConfig | PluginIssue {
  const parsed = parseEntrypoint(action.entrypoint);
  const module = parsed && entrypointFile(folder, parsed);
  if (module !== undefined && !isInside(module, folder)) {
    const message = `The action ${action.name} names ${parsed?.module}, whose file leads out of the plugin's folder.`;
    return create(PluginIssueSchema, { message, file });
  }
  const written = parsed?.language;
  if (written !== undefined && written !== language) {
    const message = `The action ${action.name} is written in ${title(written)} and the plugin's others in ${title(language)}. Give it a plugin of its own.`;
    return create(PluginIssueSchema, { message, file });
  }
  try {
    const { params, result } = action;
    return {
      ...action,
      params: typeof params === "string" ? readSchemaFile(folder, params) : params,
      result: typeof result === "string" ? readSchemaFile(folder, result) : result,
    };
  } catch (error) {
    if (!(error instanceof PluginRunnerError)) throw error;
    return create(PluginIssueSchema, { message: `The action ${action.name}: ${error.message}`, file });
  }
}

/** Not an error: the module may be installed beside the plugin. */
function missingModule({ name, entrypoint }: ActionConfig, folder: string, file: string): PluginIssue[] {
  const parsed = parseEntrypoint(entrypoint);
  if (!parsed || entrypointFile(folder, parsed)) return [];
  const { module, name: attribute } = parsed;
  const isFile = parsed.language === "python" && module.endsWith(".py");
  const message = isFile
    ? `The action ${name} names the file ${module}: an entrypoint names a module, write ${module.slice(0, -3)}:${attribute}.`
    : `The action ${name} names ${module}, which is not in the plugin's folder.`;
  return [create(PluginIssueSchema, { message, file })];
}

function toAction({
  name,
  title,
  description,
  entrypoint,
  method,
  params,
  result,
  resources,
  timeoutMs,
}: ActionConfig) {
  return create(ActionSchema, {
    name,
    title,
    description,
    entrypoint,
    method,
    ...(typeof params === "object" ? { paramsSchema: shownSchema(params) } : {}),
    ...(typeof result === "object" ? { resultSchema: shownSchema(result) } : {}),
    ...(resources ? { resources } : {}),
    ...(timeoutMs === undefined ? {} : { timeout: durationFromMs(timeoutMs) }),
  });
}

function languageName(language: Language): LanguageName {
  return language === "python" ? LanguageName.PYTHON : LanguageName.JAVASCRIPT;
}

function title(language: Language): string {
  return language === "python" ? "Python" : "JavaScript";
}
