import { createHash } from "node:crypto";
import { statSync } from "node:fs";
import { homedir } from "node:os";
import { join } from "node:path";
import { PluginRunnerError } from "../../errors.ts";
import { mayPass } from "../build-failure.ts";

/** A build that failed: what those are told who ask for the same. */
export interface FailedBuild {
  error: unknown;
  lines: readonly string[];
}

/** How long a full disk is not filled again. */
const fullMs = 10_000;
/** How long what the network may be to blame for is not tried again. */
const passingMs = 60_000;
/** How long anything else is not: what was missing in an index may be there by then. */
const lastingMs = 15 * 60_000;
const maxRemembered = 200;

/** Remembers builds that failed, so that not each call waits for the same failure. */
export class FailedBuilds {
  readonly #failed = new Map<string, FailedBuild & { settings: string; until: number }>();

  /** The failure of a digest with an interpreter, unless something that a build reads has changed or time has passed. */
  find(digest: string, python: string): FailedBuild | undefined {
    const known = this.#failed.get(digest);
    if (!known) return undefined;
    if (performance.now() < known.until && known.settings === settingsOf(python)) return known;
    this.#failed.delete(digest);
    return undefined;
  }

  remember(digest: string, python: string, failed: FailedBuild): void {
    const { error, lines } = failed;
    const isFull = error instanceof PluginRunnerError && error.reason === "STORAGE_UNAVAILABLE";
    const ms = isFull ? fullMs : mayPass(lines) ? passingMs : lastingMs;
    this.#failed.set(digest, { ...failed, settings: settingsOf(python), until: performance.now() + ms });
    const [oldest] = this.#failed.keys();
    if (this.#failed.size > maxRemembered && oldest !== undefined) this.#failed.delete(oldest);
  }
}

/** Where package managers are told of indexes, beside the environment of this service. */
function settingsFiles(): string[] {
  const home = homedir();
  const config = process.env.XDG_CONFIG_HOME ?? join(home, ".config");
  const named = ["PIP_CONFIG_FILE", "UV_CONFIG_FILE", "NPM_CONFIG_USERCONFIG"].flatMap(
    (name) => process.env[name] ?? [],
  );
  return [
    ...named,
    ...[join(config, "pip/pip.conf"), join(home, ".pip/pip.conf"), "/etc/pip.conf", "/etc/xdg/pip/pip.conf"],
    ...[join(config, "uv/uv.toml"), "/etc/uv/uv.toml", join(home, ".npmrc"), join(home, ".netrc")],
  ];
}

/** Changes with the interpreter and with those files. */
function settingsOf(python: string): string {
  const stamps = [python, ...settingsFiles()].map((path) => {
    const stats = path === "" ? undefined : statSync(path, { throwIfNoEntry: false });
    return stats ? [path, stats.mtimeMs, stats.size, stats.ino] : [path];
  });
  return createHash("sha256").update(JSON.stringify(stamps)).digest("hex");
}
