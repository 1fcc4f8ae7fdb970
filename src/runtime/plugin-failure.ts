import { join } from "node:path";
import { inspect } from "node:util";
import { PluginRunnerError } from "../errors.ts";

const maxMessage = 2_000;
const maxStack = 6_000;
const maxCauses = 4;
const ownFrames = import.meta.dirname;
/** Below it stands whoever runs actions. */
const lastFrame = join(ownFrames, "run-action.");

/** What a plugin threw, in words. */
export interface Thrown {
  readonly type: string;
  readonly message: string;
  /** As V8 prints it, with causes, without the frames of this library and of Node. */
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

function stackOf(error: Error): string {
  const stacks: string[] = [];
  let at: unknown = error;
  while (at instanceof Error && stacks.length < maxCauses) {
    stacks.push(cleanStack(String(at.stack ?? at)));
    at = at.cause;
  }
  return stacks.join("\n[cause] ");
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
