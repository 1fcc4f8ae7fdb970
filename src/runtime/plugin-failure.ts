import { join } from "node:path";
import { inspect } from "node:util";
import { PluginRunnerError } from "../errors.ts";

const maxMessage = 2_000;
const maxStack = 6_000;
/** An error is shown with so many others that it carries, in all. */
const maxErrors = 12;
const maxOwnFields = 500;
const ownFrames = import.meta.dirname;
/** Below it stands whoever runs actions. */
const lastFrame = join(ownFrames, "run-action.");

/** What a plugin threw, in words. */
export interface Thrown {
  readonly type: string;
  readonly message: string;
  /** As V8 prints it, with what it carries (causes, errors, fields), without the frames of this library and of Node. */
  readonly stack: string;
}

/** The ACTION_FAILED for what an action threw. */
export function actionFailed(action: string, thrown: unknown): PluginRunnerError {
  const { type, message, stack } = describeThrown(thrown);
  return new PluginRunnerError("ACTION_FAILED", `Action ${action} failed with ${type}: ${message}`, {
    metadata: { action, exception_type: type, message },
    exceptionType: type,
    pluginStack: stack,
  });
}

/** Describes anything that can be thrown; never throws itself. */
export function describeThrown(thrown: unknown): Thrown {
  try {
    if (!(thrown instanceof Error)) return { type: kind(thrown), message: cut(show(thrown), maxMessage), stack: "" };
    return {
      type: typeName(thrown),
      message: cut(String(thrown.message), maxMessage),
      stack: cut(stackOf(thrown), maxStack),
    };
  } catch {
    return { type: "unknown", message: "what was thrown cannot be read", stack: "" };
  }
}

/** An error's stack, its own fields, and then what it carries: each once, as a cause may lead back to it. */
function stackOf(error: Error): string {
  const seen = new Set<unknown>();
  const parts: string[] = [];
  const add = (label: string, thrown: unknown) => {
    if (seen.has(thrown) || seen.size >= maxErrors) return;
    seen.add(thrown);
    if (!(thrown instanceof Error)) {
      parts.push(`${label}${cut(show(thrown), maxOwnFields)}`);
      return;
    }
    parts.push(`${label}${cleanStack(String(thrown.stack ?? thrown))}${ownFields(thrown)}`);
    for (const [name, carried] of carriedBy(thrown)) add(`[${name}] `, carried);
  };
  add("", error);
  return parts.join("\n");
}

/** What an error carries: `cause`, the `errors` of an AggregateError, `error` and `suppressed` of a SuppressedError. */
function carriedBy(error: Error): [name: string, carried: unknown][] {
  const carried: [string, unknown][] = [];
  if ("errors" in error && Array.isArray(error.errors)) {
    for (const [index, one] of error.errors.entries()) carried.push([`errors ${index}`, one]);
  }
  if (error.name === "SuppressedError" && "error" in error) carried.push(["error", error.error]);
  if (error.name === "SuppressedError" && "suppressed" in error) carried.push(["suppressed", error.suppressed]);
  if (error.cause !== undefined) carried.push(["cause", error.cause]);
  return carried;
}

const shownOtherwise: readonly string[] = ["name", "message", "stack", "cause", "errors", "error", "suppressed"];

/** The fields that the author or Node gave an error, such as `code`, on a line of their own. */
function ownFields(error: Error): string {
  const fields = Object.entries(error).filter(([name]) => !shownOtherwise.includes(name));
  if (fields.length === 0) return "";
  return `\n    with ${cut(show(Object.fromEntries(fields)), maxOwnFields)}`;
}

function cleanStack(stack: string): string {
  const lines = stack.split("\n");
  const end = lines.findIndex((line) => isFrame(line) && line.includes(lastFrame));
  return lines
    .slice(0, end < 0 ? lines.length : end)
    .filter((line) => !isFrame(line) || !(line.includes(ownFrames) || line.includes("node:internal/")))
    .join("\n")
    .replace(/[?&]v=[0-9a-f]+(?=[:)\s]|$)/gm, "");
}

function isFrame(line: string): boolean {
  return /^\s+at /.test(line);
}

/** Subclasses that set no name of their own are known by their class. */
function typeName(error: Error): string {
  return String(error.name === "Error" ? (error.constructor.name ?? "Error") : error.name);
}

function kind(thrown: unknown): string {
  return thrown === null ? "null" : typeof thrown;
}

function show(thrown: unknown): string {
  return typeof thrown === "string" ? thrown : inspect(thrown, { depth: 2, breakLength: Number.POSITIVE_INFINITY });
}

function cut(text: string, length: number): string {
  return text.length <= length ? text : `${text.slice(0, length)}… [+${text.length - length} characters]`;
}
