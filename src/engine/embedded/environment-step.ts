import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { delimiter, dirname } from "node:path";
import { createInterface } from "node:readline";
import { killScope } from "../../util/kill-scope.ts";
import { killGroup } from "../../util/process.ts";
import { markedCommand } from "../../util/process-mark.ts";
import { scopeVariable } from "../../worker/worker-child.ts";
import { buildFailed } from "../build-failure.ts";
import type { BuildTeller } from "./environment-shared.ts";
import type { BuildStep } from "./environment-steps.ts";

const keptLines = 300;
const keptLineLength = 300;
const reportPauseMs = 1000;

/** The build that a step belongs to. */
export interface Build {
  /** The plugin's code, for messages. */
  plugin: string;
  /** A UUID that marks the processes of this build, also for a service that comes after a crash of this one. */
  scope: string;
  /** Where the files of the plugin stand, and where those stand that its author knows. */
  root: string;
  origin: string;
}

/**
 * Runs one command of a build, with the environment of this service (its indexes and certificates) but for the service's
 * own variables: packages run code when they are installed. Rejects with PLUGIN_INVALID and its last lines when it fails;
 * when the signal aborts, kills it with all that it started and rejects with the signal's reason.
 */
export async function runStep(
  { plugin, scope, root, origin }: Build,
  step: BuildStep,
  tell: BuildTeller,
  signal: AbortSignal,
): Promise<void> {
  signal.throwIfAborted();
  const { file, args } = markedCommand(scope, step);
  const child = spawn(file, args, {
    cwd: step.cwd,
    detached: true,
    stdio: ["ignore", "pipe", "pipe"],
    env: { ...buildEnvironment(process.env), [scopeVariable]: scope },
  });
  const kill = () => {
    if (child.pid !== undefined) killGroup(child.pid, "SIGKILL");
    killScope(scopeVariable, scope);
  };
  signal.addEventListener("abort", kill, { once: true });
  const report = throttled((line) => tell.report(`building the environment: ${step.name}: ${line}`));
  const tail = follow(child, [root, origin], (line) => {
    tell.line(line);
    report(line);
  });
  try {
    const exited: unknown[] = await once(child, "close");
    signal.throwIfAborted();
    const code = String(exited[0] ?? exited[1]);
    if (code !== "0") throw buildFailed({ plugin, manager: step.name, code, lines: tail });
  } catch (error) {
    signal.throwIfAborted();
    const lines = [String(error)];
    if (child.pid === undefined) throw buildFailed({ plugin, manager: step.name, code: "not started", lines });
    throw error;
  } finally {
    signal.removeEventListener("abort", kill);
  }
}

function buildEnvironment(own: NodeJS.ProcessEnv): NodeJS.ProcessEnv {
  const passed = Object.entries(own).filter(([name]) => !name.startsWith("PLUGIN_RUNNER_"));
  // npm has to find the Node that plugins will run on.
  return { ...Object.fromEntries(passed), PATH: `${dirname(process.execPath)}${delimiter}${own.PATH ?? ""}` };
}

/** Hands on every line of the output, and returns the list that always has the last ones. */
function follow(
  child: ChildProcess,
  [root, origin]: readonly [string, string],
  take: (line: string) => void,
): string[] {
  const tail: string[] = [];
  for (const input of [child.stdout, child.stderr]) {
    if (input === null) continue;
    createInterface({ input }).on("line", (line) => {
      const shown = presentable(line.replaceAll(root, origin));
      if (shown === "") return;
      tail.push(shown);
      if (tail.length > keptLines) tail.shift();
      take(shown);
    });
  }
  return tail;
}

/** One line without terminal escapes and without the credentials that URLs of indexes may have. */
function presentable(line: string): string {
  return (
    line
      .replace(/(\w+:\/\/)[^\s/@]+@/g, "$1***@")
      // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is taken out
      .replace(/\u001b\[[\d;?]*[A-Za-z]|[\u0000-\u0008\u000b-\u001f\u007f]/g, "")
      .trim()
      .slice(0, keptLineLength)
  );
}

function throttled(report: (line: string) => void): (line: string) => void {
  let last = Number.NEGATIVE_INFINITY;
  return (line) => {
    if (performance.now() - last < reportPauseMs) return;
    last = performance.now();
    report(line);
  };
}
