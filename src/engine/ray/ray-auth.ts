import { readFileSync } from "node:fs";
import { homedir } from "node:os";
import { join } from "node:path";
import { PluginRunnerError } from "../../errors.ts";

/** A token, or the file of one. */
export interface GivenToken {
  token?: string | undefined;
  tokenFile?: string | undefined;
}

type Variables = Readonly<Record<string, string | undefined>>;

/**
 * The token of a Ray cluster: what is given here, else as Ray's own tools find it: `RAY_AUTH_TOKEN`, the file that
 * `RAY_AUTH_TOKEN_PATH` names, `~/.ray/auth_token`. Read anew for each call, since tokens are rotated. Undefined when
 * there is none: a cluster without authentication asks for none.
 * @throws ENGINE_UNAVAILABLE when a file that is named cannot be read
 */
export function rayToken({ token, tokenFile }: GivenToken, env: Variables = process.env): string | undefined {
  if (token) return token;
  if (tokenFile !== undefined) return readToken(tokenFile, "--ray-token-file");
  if (env.RAY_AUTH_TOKEN) return env.RAY_AUTH_TOKEN.trim();
  if (env.RAY_AUTH_TOKEN_PATH) return readToken(env.RAY_AUTH_TOKEN_PATH, "RAY_AUTH_TOKEN_PATH");
  return readIfThere(join(env.HOME || homedir(), ".ray", "auth_token"));
}

function readToken(file: string, name: string): string {
  const token = readIfThere(file);
  if (token !== undefined) return token;
  throw new PluginRunnerError(
    "ENGINE_UNAVAILABLE",
    `${name} names a file without a token, or one that cannot be read.`,
    { metadata: { variable: name }, retryAfterMs: 2000 },
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
