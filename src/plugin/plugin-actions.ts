import { clone, create, type JsonObject } from "@bufbuild/protobuf";
import {
  type Action,
  ActionSchema,
  type Plugin,
  type PluginIssue,
  PluginIssueSchema,
  PluginSchema,
} from "../../gen/ts/pluginrunner/v1/plugin_pb.ts";
import { fromErrorRecord, PluginRunnerError } from "../errors.ts";
import { abortable } from "../util/abortable.ts";
import { compareText } from "../util/compare-text.ts";
import { findFaultBesideNumbers } from "../util/json.ts";
import { SharedWork } from "../util/shared-work.ts";
import type { DescribedAction, ScannedAction } from "../worker/messages.ts";
import { ActionSchemas } from "./action-schemas.ts";
import type { ActionConfig } from "./config.ts";
import { checkEntrypoint } from "./explicit-entrypoint.ts";
import { clearlyNamed, entrypointsNamed, hiddenIssues, sameNameIssues } from "./found-actions.ts";
import { issuePlace } from "./issue-place.ts";
import { scanJavaScript } from "./javascript-scan.ts";
import type { DeclaredActions } from "./load-plugin.ts";
import { ambiguousAction, unknownAction, unplacedAction, unusableAction } from "./missing-action.ts";
import type { Inspector, LoadedAction, LoadedPlugin, ParamsValidator } from "./plugin.ts";
import { shownSchema } from "./shown-schema.ts";

/** Reading the text of a plugin's code; loading it has a limit of its own, see `--load-timeout`. */
const scanTimeoutMs = 120_000;

/** Callers choose names and entry points freely: only so many are remembered. */
const maxRemembered = 1000;

/** What the actions of a plugin need to be found. */
export interface ActionSources {
  inspector: Inspector;
  allowModules: readonly string[];
  /** Aborts when the catalog closes. */
  closed: AbortSignal;
}

type Variables = Readonly<Record<string, string>>;

/** Where an action is, and what is known of it before its code is loaded. */
type Target = Pick<ActionConfig, "name" | "entrypoint"> & Partial<ActionConfig>;

interface Visible {
  target: Target | undefined;
  scanned: readonly ScannedAction[];
}

/** The actions of one version of a plugin, found once and remembered as long as that version is. */
export class PluginActions {
  readonly plugin: LoadedPlugin;
  readonly #declared: DeclaredActions;
  readonly #sources: ActionSources;
  readonly #found = new Map<string, LoadedAction>();
  readonly #schemas: ActionSchemas;
  readonly #scanned: SharedWork<ScannedAction[]>;
  readonly #describedDeclared: SharedWork<DescribedAction[]>;
  readonly #describedCode: SharedWork<DescribedAction[]>;
  readonly #describedPlugin: SharedWork<{ plugin: Plugin; complete: boolean }>;

  constructor(plugin: LoadedPlugin, declared: DeclaredActions, sources: ActionSources) {
    this.plugin = plugin;
    this.#declared = declared;
    this.#sources = sources;
    this.#schemas = new ActionSchemas(plugin, declared);
    const { root, module } = plugin.binding;
    this.#scanned = new SharedWork(() => this.#inTime((signal) => sources.inspector.scan(root, module, signal)));
    this.#describedDeclared = new SharedWork(() => this.#describe(entrypointsOf(declared.usable.values())), allLoaded);
    this.#describedCode = new SharedWork(() => this.#describe({}), allLoaded);
    this.#describedPlugin = new SharedWork(
      () => this.#describePlugin(sources.closed),
      ({ complete }) => complete,
    );
  }

  /** The action, when it was found before. */
  peek(name: string, entrypoint: string): LoadedAction | undefined {
    return this.#found.get(entrypoint === "" ? name : `${name}\0${entrypoint}`);
  }

  /**
   * Looks where it costs least first: the entry point that is given, the configuration, the text of the code, and at
   * last the loaded code.
   * @param env of the request, for code that cannot be loaded without
   */
  async find(name: string, entrypoint: string, env: Variables, signal: AbortSignal): Promise<LoadedAction> {
    const target = await this.#target(name, entrypoint, env, signal);
    const action = this.#action(target, await this.#validator(target, env, signal));
    if (this.#found.size >= maxRemembered) this.#found.clear();
    this.#found.set(entrypoint === "" ? name : `${name}\0${entrypoint}`, action);
    return action;
  }

  /**
   * What can be told of an action without its code: an entry point that is empty is known to the code alone. The
   * validator is that of the configuration.
   * @throws what `find` throws, where no code is needed to know it
   */
  async glance(name: string, entrypoint: string, signal: AbortSignal): Promise<LoadedAction> {
    const declared = this.#declared.usable.get(name);
    const target = (await this.#visible(name, entrypoint, signal)).target ?? { ...declared, name, entrypoint: "" };
    const { params } = target;
    const validator = typeof params === "object" ? this.#schemas.compile(target.name, params) : undefined;
    return this.#action(target, validator);
  }

  /** What `glance` could not tell of an action, from the code. `bySchema`: its params were validated already. */
  async complete(name: string, entrypoint: string, bySchema: boolean, env: Variables, signal: AbortSignal) {
    const target = entrypoint === "" ? await this.#target(name, "", env, signal) : { name, entrypoint };
    return this.#action(target, bySchema ? undefined : await this.#validator(target, env, signal));
  }

  /** The plugin with the actions that can be seen without loading its code. */
  async listed(signal: AbortSignal): Promise<Plugin> {
    const info = this.plugin.info;
    if (!this.#needsScan()) return info;
    const { actions, issues } = await this.#scanOrExplain(signal);
    const hidden = issues.length === 0 && this.#declared.usable.size === 0 ? hiddenIssues(actions) : [];
    const same = sameNameIssues(actions, (name) => this.#isPlaced(name));
    return withActions(info, clearlyNamed(actions, actions).map(toTarget), [...issues, ...same, ...hidden]);
  }

  /** The plugin with everything that its loaded code tells. */
  async described(signal: AbortSignal): Promise<Plugin> {
    return (await this.#describedPlugin.get(signal)).plugin;
  }

  #action({ name, entrypoint, timeoutMs, resources }: Target, validator: ParamsValidator | undefined): LoadedAction {
    return { plugin: this.plugin, name, entrypoint, validator, timeoutMs, resources };
  }

  /** Where an action is, as far as that can be seen without loading code, and the actions that can be seen. */
  async #visible(name: string, entrypoint: string, signal: AbortSignal): Promise<Visible> {
    if (entrypoint !== "") return { target: this.#explicit(name, entrypoint), scanned: [] };
    const declared = this.#declared.usable.get(name);
    if (declared?.entrypoint) return { target: declared, scanned: [] };
    const unusable = this.#declared.unusable.get(name);
    if (unusable) throw unusableAction(this.plugin, name, unusable);

    const scanned = await this.#scan(signal);
    const seen = this.#only(name, scanned);
    if (seen !== undefined) return { target: { ...declared, name, entrypoint: seen }, scanned };
    // A configuration with actions is complete, but for such as only name themselves.
    if (this.#declared.usable.size > 0 && !declared) throw this.#unknown(name, scanned);
    return { target: undefined, scanned };
  }

  async #target(name: string, entrypoint: string, env: Variables, signal: AbortSignal): Promise<Target> {
    const { target, scanned } = await this.#visible(name, entrypoint, signal);
    if (target) return target;
    const declared = this.#declared.usable.get(name);
    const described = await this.#describedWith(this.#describedCode, {}, env, signal);
    const loaded = this.#only(name, described);
    if (loaded !== undefined) return { ...declared, name, entrypoint: loaded };
    const broken = described.find((action) => action.name === "" && action.error);
    if (broken?.error) throw fromErrorRecord(broken.error);
    throw declared ? unplacedAction(this.plugin, name, described) : this.#unknown(name, [...scanned, ...described]);
  }

  /** The entry point of the one action of a name; undefined where there is none. */
  #only(name: string, found: readonly (ScannedAction | DescribedAction)[]): string | undefined {
    const entrypoints = name === "" ? [] : entrypointsNamed(name, found);
    if (entrypoints.length > 1) throw ambiguousAction(this.plugin, name, entrypoints);
    return entrypoints[0];
  }

  #unknown(name: string, others: readonly { name: string }[]): PluginRunnerError {
    return unknownAction(this.plugin, name, this.#declared.usable, others);
  }

  /** Whether the configuration says where an action is. */
  #isPlaced(name: string): boolean {
    return (this.#declared.usable.get(name)?.entrypoint ?? "") !== "";
  }

  #explicit(name: string, entrypoint: string): Target {
    const parsed = checkEntrypoint(this.plugin, entrypoint, this.#sources.allowModules);
    for (const action of this.#declared.usable.values()) {
      if (action.entrypoint === entrypoint) return { ...action, name: name || action.name };
    }
    return { name: name || (parsed.name.split(".").at(-1) ?? parsed.name), entrypoint };
  }

  async #validator(target: Target, env: Variables, signal: AbortSignal): Promise<ParamsValidator | undefined> {
    const schema = typeof target.params === "object" ? target.params : await this.#schemaInCode(target, env, signal);
    return schema && this.#schemas.compile(target.name, schema);
  }

  /** In JavaScript the code holds a JSON Schema itself; a Python model says more than its schema, so it is asked. */
  async #schemaInCode(
    { name, entrypoint }: Target,
    env: Variables,
    signal: AbortSignal,
  ): Promise<JsonObject | undefined> {
    if (this.plugin.binding.language === "python") return undefined;
    const declared = this.#declared.usable.get(name)?.entrypoint === entrypoint;
    const described = declared
      ? await this.#describedWith(this.#describedDeclared, { [name]: entrypoint }, env, signal)
      : await abortable(this.#describe({ [name]: entrypoint }, env), signal);
    const action = described.find((candidate) => candidate.name === name);
    if (action?.error) throw fromErrorRecord(action.error);
    return action?.params_schema ?? undefined;
  }

  async #describePlugin(signal: AbortSignal): Promise<{ plugin: Plugin; complete: boolean }> {
    const { info } = this.plugin;
    const scanned = this.#needsScan() ? await this.#scan(signal) : [];
    const open = withActions(info, clearlyNamed(scanned, scanned).map(toTarget), []).actions.filter(lacksSchema);
    const declares = this.#declared.usable.size > 0;
    const described = declares ? await this.#describeAll(open) : await this.#describedCode.get(signal);
    const found = [...scanned, ...described];
    const issues = [
      ...sameNameIssues(found, (name) => this.#isPlaced(name)),
      ...described.flatMap(issuesOf),
      ...this.#schemas.issues(described),
    ];
    const whole = withActions(info, clearlyNamed(found, found).map(toTarget), issues);
    return { plugin: whole, complete: allLoaded(described) };
  }

  async #describeAll(actions: readonly Action[]): Promise<DescribedAction[]> {
    return actions.length === 0 ? [] : this.#describe(entrypointsOf(actions));
  }

  /** Whether the configuration leaves actions, or entry points, to the code. */
  #needsScan(): boolean {
    const { usable, unusable } = this.#declared;
    if (usable.size === 0) return unusable.size === 0;
    return [...usable.values()].some((action) => action.entrypoint === "");
  }

  async #scanOrExplain(signal: AbortSignal): Promise<{ actions: ScannedAction[]; issues: PluginIssue[] }> {
    try {
      return { actions: await this.#scan(signal), issues: [] };
    } catch (error) {
      signal.throwIfAborted();
      const { message, metadata } = PluginRunnerError.from(error);
      return { actions: [], issues: [create(PluginIssueSchema, { message, ...issuePlace(metadata) })] };
    }
  }

  async #scan(signal: AbortSignal): Promise<ScannedAction[]> {
    const { language, root, module } = this.plugin.binding;
    if (root === "") return [];
    if (language === "javascript") return scanJavaScript(root, module);
    return this.#scanned.get(signal);
  }

  /** What is known without variables of a request; where the code could not be loaded so, what it says with them. */
  async #describedWith(
    shared: SharedWork<DescribedAction[]>,
    entrypoints: Readonly<Record<string, string>>,
    env: Variables,
    signal: AbortSignal,
  ): Promise<DescribedAction[]> {
    try {
      const described = await shared.get(signal);
      if (allLoaded(described) || Object.keys(env).length === 0) return described;
    } catch (error) {
      const isFault = error instanceof PluginRunnerError && error.reason === "PLUGIN_INVALID";
      if (!isFault || Object.keys(env).length === 0) throw error;
    }
    return abortable(this.#describe(entrypoints, env), signal);
  }

  async #describe(entrypoints: Readonly<Record<string, string>>, env: Variables = {}): Promise<DescribedAction[]> {
    const { inspector } = this.#sources;
    await inspector.prepare?.(this.plugin, this.#sources.closed);
    const described = await inspector.describe(this.plugin, entrypoints, this.#sources.closed, env);
    return described.map(showable);
  }

  async #inTime<T>(work: (signal: AbortSignal) => Promise<T>): Promise<T> {
    const late = new AbortController();
    const timer = setTimeout(() => late.abort(this.#tooSlow()), scanTimeoutMs).unref();
    try {
      return await work(AbortSignal.any([this.#sources.closed, late.signal]));
    } finally {
      clearTimeout(timer);
    }
  }

  #tooSlow(): PluginRunnerError {
    const { code } = this.plugin.info;
    const seconds = scanTimeoutMs / 1000;
    return new PluginRunnerError("PLUGIN_INVALID", `The files of ${code} are not read after ${seconds} s.`, {
      metadata: { plugin: code, timeout_seconds: String(seconds) },
    });
  }
}

/** A copy with more actions and issues. What is configured stays: the code only fills in what is missing. */
function withActions(plugin: Plugin, found: readonly Target[], issues: readonly PluginIssue[]): Plugin {
  const copy = clone(PluginSchema, plugin);
  const actions = new Map<string, Action>(copy.actions.map((action) => [action.name, action]));
  const complete = copy.actions.length > 0;
  for (const { name, description = "", entrypoint, params, result } of found) {
    const known = actions.get(name);
    if (!known && complete) continue;
    const action = known ?? create(ActionSchema, { name });
    action.entrypoint ||= entrypoint;
    action.description ||= description;
    if (typeof params === "object") action.paramsSchema ??= shownSchema(params);
    if (typeof result === "object") action.resultSchema ??= shownSchema(result);
    actions.set(name, action);
  }
  copy.actions = [...actions.values()].sort((a, b) => compareText(a.name, b.name));
  copy.issues.push(...issues);
  return copy;
}

/** By name; without those whose place is not known yet. */
function entrypointsOf(actions: Iterable<{ name: string; entrypoint: string }>): Record<string, string> {
  const placed = [...actions].filter((action) => action.entrypoint !== "");
  return Object.fromEntries(placed.map((action) => [action.name, action.entrypoint]));
}

function lacksSchema({ paramsSchema, resultSchema }: Action): boolean {
  return !paramsSchema || !resultSchema;
}

/** The action, or why its schemas cannot be sent to clients. */
function showable(action: DescribedAction): DescribedAction {
  const schemas = [action.params_schema, action.result_schema];
  const fault = schemas.map((schema) => schema && findFaultBesideNumbers(schema)).find(Boolean);
  if (!fault) return action;
  const error = { reason: "PLUGIN_INVALID", message: `A schema of ${action.name} ${fault.description}.` };
  return { ...action, params_schema: null, result_schema: null, error };
}

/** Why an action cannot be described, or what its author should know of it. */
function issuesOf({ name, error, issues = [] }: DescribedAction): PluginIssue[] {
  if (error) {
    const message = name === "" ? error.message : `The action ${name}: ${error.message}`;
    return [create(PluginIssueSchema, { message, ...issuePlace(error.metadata) })];
  }
  return issues.map(({ message, file, line }) =>
    create(PluginIssueSchema, { message: `The action ${name}: ${message}`, file, line }),
  );
}

function allLoaded(described: readonly DescribedAction[]): boolean {
  return described.every((action) => !action.error);
}

function toTarget(action: ScannedAction | DescribedAction): Target {
  const { name, description, entrypoint } = action;
  if (!("params_schema" in action)) return { name, description, entrypoint };
  return {
    name,
    description,
    entrypoint,
    params: action.params_schema ?? undefined,
    result: action.result_schema ?? undefined,
  };
}
