import { PluginRunnerError } from "../errors.ts";
import { storageUnavailable } from "../storage-error.ts";

/** What a failed build is known by. */
export interface FailedStep {
  plugin: string;
  /** The package manager, as its users call it. */
  manager: string;
  /** Its exit code, or the signal that ended it. */
  code: string;
  /** The last lines that it wrote. */
  lines: readonly string[];
}

const fullDisk = /No space left on device|ENOSPC|Disk quota exceeded/;

/** The lines that say why a build failed; the first pattern that is found is the one that says most. */
const decisive: readonly RegExp[] = [
  fullDisk,
  /No matching distribution found|ResolutionImpossible|conflicting dependencies/,
  /THESE PACKAGES DO NOT MATCH THE HASHES|Hashes are required|hash mismatch/i,
  /No solution found|because .* (?:was not found|no version|there (?:is|are) no)/i,
  /npm (?:ERR!|error) code E(?!LIFECYCLE)|npm (?:ERR!|error) (?:404|notarget|Invalid)/,
  /Invalid requirement|Couldn't parse|Could not open requirements file|does not (?:appear|exist)/,
  /requires a different Python|Requires-Python|not a supported wheel/,
  /fatal error:|: error:|command .* failed|failed to (?:build|compile)|Failed building wheel|ModuleNotFoundError/i,
  /\bERROR\b|npm (?:ERR!|error)|^error:|error:/,
];

/** What the network may be to blame for: it may be mended without anybody changing anything. */
const passing =
  /timed? ?out|Temporary failure|name resolution|ECONN(?:REFUSED|RESET)|ETIMEDOUT|EAI_AGAIN|ENOTFOUND|Max retries|Connection(?:Error| refused| reset| aborted| broken)|error sending request|Could not fetch URL|SSLError|\b(?:429|50[0-4])\b|Failed to fetch/i;

const maxDecisive = 3;
const shownCharacters = 300;

/** PLUGIN_INVALID with what decided first, then the last lines; STORAGE_UNAVAILABLE where a disk is full. */
export function buildFailed({ plugin, manager, code, lines }: FailedStep): PluginRunnerError {
  const output = lines.slice(-12).join("\n");
  const why = decisiveLines(lines);
  const because = why.length === 0 ? "" : `${why.join("; ")}\n`;
  const message = `The environment of plugin ${plugin} cannot be built: ${because}${manager} failed (${code}).\n${output}`;
  const metadata = { plugin, manager, exit_code: code, output, cause: why.join("\n") };
  if (why.some((line) => fullDisk.test(line))) return storageUnavailable("ENOSPC", message, { metadata });
  return new PluginRunnerError("PLUGIN_INVALID", message, { metadata });
}

/** Whether the same build may well go on the next time, although nothing about the plugin has changed. */
export function mayPass(lines: readonly string[]): boolean {
  return lines.some((line) => passing.test(line));
}

/** The lines that say why a build failed, without the words that every line of an error begins with; empty when none does. */
export function decisiveLines(lines: readonly string[]): string[] {
  for (const pattern of decisive) {
    const found = lines.filter((line) => pattern.test(line)).map(plain);
    if (found.length > 0)
      return [...new Set(found)].slice(0, maxDecisive).map((line) => line.slice(0, shownCharacters));
  }
  return [];
}

function plain(line: string): string {
  return line.replace(/^(?:ERROR: |error: |npm (?:ERR!|error) |× |╰─▶ )+/, "").trim();
}
