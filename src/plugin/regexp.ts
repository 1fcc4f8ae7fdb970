import { RE2JS, RE2JSException } from "re2js";
import { PluginRunnerError } from "../errors.ts";

/**
 * The engine for `pattern` and its like: its time grows with the length of the text and never beyond, so a schema and a
 * text together cannot hold up the service. It knows no look-around and no back-references.
 * @throws PLUGIN_INVALID for a pattern that it does not support
 */
export const linearRegExp = Object.assign(compile, { code: "linearRegExp" });

interface Expression {
  test(text: string): boolean;
  toString(): string;
}

function compile(pattern: string): Expression {
  try {
    const expression = RE2JS.compile(RE2JS.translateRegExp(pattern));
    // ajv keeps one expression for each distinct `toString()`.
    return { test: (text: string) => expression.test(text), toString: () => `/${pattern}/` };
  } catch (error) {
    if (!(error instanceof RE2JSException)) throw error;
    const shown = pattern.length > 100 ? `${pattern.slice(0, 100)}…` : pattern;
    throw new PluginRunnerError(
      "PLUGIN_INVALID",
      `The pattern ${shown} is not supported: look-around and back-references are not, and it must be well formed.`,
      { metadata: { pattern: shown }, cause: error },
    );
  }
}
