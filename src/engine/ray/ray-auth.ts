import { readFileSync } from "node:fs";
import { homedir } from "node:os";
import { join } from "node:path";
import { PluginRunnerError } from "../../errors.ts";

type Variables = Readonly<Record<string, string | undefined>>;

/**
 * The token of a Ray cluster, as Ray's own tools find it: what is given here, `RAY_AUTH_TOKEN`, the file that
 * `RAY_AUTH_TOKEN_PATH` names, `~/.ray/auth_token`. Read anew for each call, since tokens are rotated. Undefined when
 * there is none: a cluster without authentication asks for none.
 * @throws ENGINE_UNAVAILABLE when a file that is named cannot be read
 */
export function rayToken(given: string | undefined, env: Variables = process.env): string | undefined {
  if (given !== undefined && given !== "") return given;
  if (env.RAY_AUTH_TOKEN) return env.RAY_AUTH_TOKEN.trim();
  if (env.RAY_AUTH_TOKEN_PATH) return readToken(env.RAY_AUTH_TOKEN_PATH);
  return readIfThere(join(env.HOME || homedir(), ".ray", "auth_token"));
}

function readToken(file: string): string {
  const token = readIfThere(file);
  if (token !== undefined) return token;
  throw new PluginRunnerError(
    "ENGINE_UNAVAILABLE",
    "RAY_AUTH_TOKEN_PATH names a file without a token, or one that cannot be read.",
    { metadata: { variable: "RAY_AUTH_TOKEN_PATH" }, retryAfterMs: 2000 },
  );
}

function readIfThere(file: string): string | undefined {
  try {
    const token = readFileSync(file, "utf8").trim();
    return token === "" ? undefined : token;
  } catch {
    return undefined;
  }
}
