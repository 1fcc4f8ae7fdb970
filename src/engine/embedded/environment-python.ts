import { execFile } from "node:child_process";
import { promisify } from "node:util";
import { PluginRunnerError } from "../../errors.ts";

const oldest = [3, 9] as const;
const question = "import sys; print(sys.executable); print('.'.join(map(str, sys.version_info[:3])))";
const patienceMs = 20_000;

export interface Python {
  /** The interpreter itself, absolute: the shims of version managers cost their time at every start. */
  path: string;
  /** For example "3.11.7". */
  version: string;
}

/** Asks an interpreter where and what it is. Throws PLUGIN_INVALID when it is not there, or older than 3.9. */
export async function resolvePython(command: string, signal: AbortSignal): Promise<Python> {
  const [path = "", version = ""] = await ask(command, signal);
  const [major = 0, minor = 0] = version.split(".").map(Number);
  if (path !== "" && (major > oldest[0] || (major === oldest[0] && minor >= oldest[1]))) return { path, version };
  const needed = oldest.join(".");
  throw new PluginRunnerError("PLUGIN_INVALID", `${command} is Python ${version}, and ${needed} or newer is needed.`, {
    metadata: { command, version, needed },
  });
}

/** Resolves an interpreter when it is first asked for, and again only while that fails: it may be installed meanwhile. */
export function lazyPython(command: string, signal: AbortSignal): () => Promise<string> {
  let found: Promise<string> | undefined;
  return () => {
    if (found) return found;
    const asked = resolvePython(command, signal).then(({ path }) => path);
    found = asked;
    asked.catch(() => {
      found = undefined;
    });
    return asked;
  };
}

async function ask(command: string, signal: AbortSignal): Promise<string[]> {
  try {
    const asked = await promisify(execFile)(command, ["-c", question], { signal, timeout: patienceMs });
    return asked.stdout.trim().split("\n");
  } catch (cause) {
    signal.throwIfAborted();
    const message = `Python plugins cannot run: ${command} does not answer. Install Python 3.9 or newer, or name another.`;
    throw new PluginRunnerError("PLUGIN_INVALID", message, { metadata: { command }, cause });
  }
}
