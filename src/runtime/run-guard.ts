import { syncBuiltinESMExports } from "node:module";
import { PluginRunnerError } from "../errors.ts";
import { type CodeRun, currentRun } from "./code-run.ts";
import { guardListeners } from "./guard-listeners.ts";
import { keepStreams } from "./keep-streams.ts";
import { actionFailed } from "./plugin-failure.ts";

/** What a refused end of the process throws, to end the plugin's code there. */
class ExitError extends Error {
  override readonly name = "ExitError";
}

export interface GuardOptions {
  /** Is told of an exception or a rejection that belongs to no run, with the plugin where that is known. */
  unowned(thrown: unknown, plugin?: string): void;
  /** The calls that are refused to code of plugins. */
  ends: readonly EndOfProcess[];
  /** The plugin that a call outside of every run comes from all the same, by its stack. */
  pluginOf(stack: string): string | undefined;
}

export type EndOfProcess = keyof typeof ends;

/** The functions of `process` that end it or reach for that, each with how a call that does so is written. */
const ends = {
  exit: (code: unknown) => `process.exit(${shownCode(code)})`,
  reallyExit: (code: unknown) => `process.reallyExit(${shownCode(code)})`,
  abort: () => "process.abort()",
  execve: () => "process.execve()",
  kill: (pid: unknown, signal: unknown) => {
    const isOwn = typeof pid === "number" && (pid === 0 || Math.abs(pid) === process.pid) && signal !== 0;
    return isOwn ? `process.kill(${pid}, ${JSON.stringify(signal ?? "SIGTERM")})` : undefined;
  },
  emit: (event: unknown) => {
    const isEnd = typeof event === "string" && /^(SIG(TERM|INT|HUP)|exit|beforeExit)$/.test(event);
    return isEnd ? `process.emit(${JSON.stringify(event)})` : undefined;
  },
};

/**
 * Keeps runs from ending the process that they share, for its life: a stray exception or rejection, and a call of what
 * ends the process, fails the run that it comes from.
 */
export function guardProcess({ unowned, ends: names, pluginOf }: GuardOptions): void {
  const stray = (thrown: unknown, plugin?: string) => {
    if (thrown instanceof ExitError) return; // its run has been told already
    const run = currentRun();
    if (run === undefined) unowned(thrown, plugin);
    else run.fail(actionFailed(run.action, thrown));
  };
  const isPlugin = () => currentRun() !== undefined || pluginOf(String(new Error().stack)) !== undefined;
  guardListeners({ pluginOf, stray });
  keepStreams(isPlugin);
  for (const name of names) refuse(name, isPlugin);
  syncBuiltinESMExports(); // for `import { exit } from "node:process"`
}

function refuse(name: EndOfProcess, isPlugin: () => boolean): void {
  const original: unknown = Reflect.get(process, name);
  if (typeof original !== "function") return;
  const guarded = (...args: unknown[]) => {
    const [first, second] = args;
    const call = ends[name](first, second);
    if (call === undefined || !isPlugin()) return Reflect.apply(original, process, args);
    const run = currentRun();
    run?.fail(endCalled(run, call, name === "exit" || name === "reallyExit" ? shownCode(first) : undefined));
    throw new ExitError(`${call} was called in a process that other runs share.`);
  };
  Reflect.set(process, name, guarded);
}

function endCalled({ action }: CodeRun, call: string, code: string | undefined): PluginRunnerError {
  if (code !== undefined && call.startsWith("process.exit(")) return exitCalled(action, code);
  return new PluginRunnerError(
    "ACTION_FAILED",
    `Action ${action} called ${call}, which would end every run of its process: return or throw instead.`,
    { metadata: { action, ...(code !== undefined && { exit_code: code }) }, exceptionType: "ProcessExit" },
  );
}

function shownCode(code: unknown): string {
  return String(code ?? process.exitCode ?? 0);
}

/** The ACTION_FAILED for an action that ended its process. */
export function exitCalled(action: string, code: string): PluginRunnerError {
  return new PluginRunnerError(
    "ACTION_FAILED",
    `Action ${action} called process.exit(${code}): return or throw instead.`,
    {
      metadata: { action, exit_code: code },
      exceptionType: "ProcessExit",
    },
  );
}

/** The ACTION_FAILED for an action that waits for nothing. */
export function neverSettles(action: string): PluginRunnerError {
  const message = `Action ${action} returned a promise that never settles: nothing is left that it could wait for.`;
  return new PluginRunnerError("ACTION_FAILED", message, { metadata: { action } });
}
