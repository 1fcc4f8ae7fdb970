import { RunnerError } from "../grpc/client-errors.ts";
import { carriedJson, readableJson } from "./readable-json.ts";
import { neutral, paint } from "./terminal.ts";
import { UsageError } from "./usage-error.ts";
import type { Io } from "./verb.ts";

/** Tells a person what went wrong, on standard error. */
export function reportError(error: unknown, { stderr }: Io): void {
  const label = paint(stderr, "red", "error:");
  for (const line of linesOf(error)) stderr.write(`${line.replace(/^error:/, label)}\n`);
}

/** The same for a program: the error as one JSON document. */
export function errorDocument(error: unknown) {
  if (!(error instanceof RunnerError)) return { error: { reason: wordFor(error), message: textOf(error) } };
  const { reason, message, metadata, violations, exceptionType, pluginStack, retryAfterMs, partialResult } = error;
  const partial = carriedJson("partialResult", partialResult);
  return { error: { reason, message, metadata, violations, exceptionType, pluginStack, retryAfterMs, ...partial } };
}

function linesOf(error: unknown): string[] {
  if (error instanceof UsageError) return error.message.split("\n").map((line) => `error: ${neutral(line)}`);
  if (!(error instanceof RunnerError)) return [`error: ${textOf(error)}`];
  return [
    `error: ${neutral(error.message)} [${error.reason}]`,
    ...error.violations
      // A fault of a file says for programs where it is, in the words of the message.
      .filter(({ description }) => !description.endsWith(error.message))
      .map(({ field, description }) => `  ${neutral(field || "/")}: ${neutral(description)}`),
    ...block(error.pluginStack),
    ...block(error.metadata.stderr_tail),
    ...(error.partialResult === undefined
      ? []
      : ["What can be carried of the result:", ...neutral(readableJson(error.partialResult)).split("\n")]),
    ...hintsFor(error),
  ];
}

/** What the plugin left to say, set off by an empty line. */
function block(text = ""): string[] {
  return text.trim() === "" ? [] : ["", ...neutral(text.trimEnd()).split("\n")];
}

function hintsFor(error: RunnerError): string[] {
  if (error.reason === "UNAUTHENTICATED") {
    return ["Name the file of its token with --token-file FILE, or set PLUGIN_RUNNER_TOKEN."];
  }
  // What answers, and does not fit, has said so.
  if (error.reason !== "UNAVAILABLE" || error.isFinal || error.metadata.http_status) return [];
  return ["Start a service with `plugin-runner serve --root DIR`, or name another one with --address HOST:PORT."];
}

function wordFor(error: unknown): string {
  return error instanceof UsageError ? "USAGE" : "INTERNAL";
}

function textOf(error: unknown): string {
  if (error instanceof UsageError) return error.message;
  return error instanceof Error ? (error.stack ?? error.message) : String(error);
}
