import { create, type JsonObject } from "@bufbuild/protobuf";
import { type PluginIssue, PluginIssueSchema } from "../../gen/ts/pluginrunner/v1/plugin_pb.ts";
import { PluginRunnerError } from "../errors.ts";
import { jsonPointer } from "../util/json-pointer.ts";
import type { DescribedAction } from "../worker/messages.ts";
import { issuePlace } from "./issue-place.ts";
import type { DeclaredActions } from "./load-plugin.ts";
import { compileParams } from "./params.ts";
import type { LoadedPlugin, ParamsValidator } from "./plugin.ts";
import type { Place } from "./schema-place.ts";

/** The schemas of one version of a plugin's params, each compiled once. */
export class ActionSchemas {
  readonly #plugin: LoadedPlugin;
  readonly #declared: DeclaredActions;
  readonly #compiled = new WeakMap<JsonObject, ParamsValidator>();

  constructor(plugin: LoadedPlugin, declared: DeclaredActions) {
    this.#plugin = plugin;
    this.#declared = declared;
  }

  /** The validator of a schema. What is wrong with one has its place in the plugin's files, where that is known. */
  compile(name: string, schema: JsonObject): ParamsValidator {
    const known = this.#compiled.get(schema);
    if (known) return known;
    try {
      const validator = compileParams(schema, `${this.#plugin.info.code}/${name}`);
      this.#compiled.set(schema, validator);
      return validator;
    } catch (error) {
      throw error instanceof PluginRunnerError ? this.#placed(name, schema, error) : error;
    }
  }

  /** What is wrong with the schemas of a configuration or of JavaScript, each with its place where that is known. */
  issues(described: readonly DescribedAction[]): PluginIssue[] {
    const inCode = this.#plugin.binding.language === "python" ? [] : described;
    const schemas = new Map<string, JsonObject | null | undefined>(inCode.map((one) => [one.name, one.params_schema]));
    for (const { name, params } of this.#declared.usable.values()) {
      if (typeof params === "object") schemas.set(name, params);
    }
    return [...schemas].flatMap(([name, schema]) => (schema ? this.#issuesOf(name, schema) : []));
  }

  #placed(name: string, schema: JsonObject, error: PluginRunnerError): PluginRunnerError {
    const place = this.#place(name, schema, error.metadata.field ?? "");
    if (!place) return error;
    const { file, line, column } = place;
    return new PluginRunnerError(error.reason, `${file}:${line}:${column}: ${error.message}`, {
      metadata: { ...error.metadata, file, line: String(line), column: String(column) },
      violations: error.violations,
      cause: error.cause,
    });
  }

  /** Undefined for a schema that stands in code. */
  #place(name: string, schema: JsonObject, pointer: string): Place | undefined {
    const { usable, schemaPlace } = this.#declared;
    return usable.get(name)?.params === schema ? schemaPlace?.(name, pointer) : undefined;
  }

  #issuesOf(name: string, schema: JsonObject): PluginIssue[] {
    try {
      const { problems = [] } = this.compile(name, schema);
      return problems.map(({ path, message }) =>
        create(PluginIssueSchema, {
          message: `The params schema of ${name}: ${message}.`,
          ...this.#place(name, schema, jsonPointer(path)),
        }),
      );
    } catch (error) {
      const { message, metadata } = PluginRunnerError.from(error);
      const at = `${metadata.file}:${metadata.line}:${metadata.column}: `; // an issue has its place beside its message
      const said = message.startsWith(at) ? message.slice(at.length) : `The action ${name}: ${message}`;
      return [create(PluginIssueSchema, { message: said, ...issuePlace(metadata) })];
    }
  }
}
