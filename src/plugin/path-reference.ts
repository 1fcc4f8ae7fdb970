import { lstatSync, realpathSync } from "node:fs";
import { dirname, isAbsolute, resolve } from "node:path";
import { PluginRunnerError } from "../errors.ts";
import { isInside } from "./entrypoint.ts";

/** Whether a reference is meant as a path: `a/b`, `./a`, `config.yaml`. Bare names are codes and modules. */
export function isPathLike(reference: string): boolean {
  return /[/\0]/.test(reference) || /\.ya?ml$/.test(reference) || /^\.{1,2}$/.test(reference);
}

/**
 * The real path that a reference names: absolute, or relative to a plugin root or to the service's working folder.
 * Says nothing of what exists outside the roots.
 * @param roots real paths
 * @throws PATH_FORBIDDEN when it leads out of the roots, PLUGIN_NOT_FOUND when there is nothing
 */
export function resolvePath(reference: string, roots: readonly string[]): string {
  if (reference.includes("\0")) throw forbidden(reference.replaceAll("\0", "\\0"));
  const places = isAbsolute(reference)
    ? [resolve(reference)]
    : [...roots.map((root) => resolve(root, reference)), resolve(reference)];
  const found = places.map((place) => lookUp(place, roots));
  const path = found.find((result) => result !== "outside" && result !== "absent");
  if (path !== undefined) return path;
  if (!found.includes("absent")) throw forbidden(reference);
  throw new PluginRunnerError("PLUGIN_NOT_FOUND", `There is nothing at ${reference}.`, {
    metadata: { plugin: reference },
  });
}

function lookUp(path: string, roots: readonly string[]): string | "outside" | "absent" {
  const real = realPath(path);
  if (real !== undefined) return roots.some((root) => isInside(real, root)) ? real : "outside";
  return roots.some((root) => isInside(path, root)) && endsInside(path, roots) ? "absent" : "outside";
}

/** Whether an absent path would be inside: what it goes through must be, or else it would tell what is elsewhere. */
function endsInside(path: string, roots: readonly string[]): boolean {
  for (let ancestor = path; ; ancestor = dirname(ancestor)) {
    const real = realPath(ancestor);
    if (real !== undefined) return roots.some((root) => isInside(real, root));
    if (isLink(ancestor)) return false;
  }
}

function realPath(path: string): string | undefined {
  try {
    return realpathSync(path);
  } catch {
    return undefined; // absent, a loop of links, not to be seen, too long: nothing to run in any case
  }
}

function isLink(path: string): boolean {
  try {
    return lstatSync(path).isSymbolicLink();
  } catch {
    return false;
  }
}

function forbidden(reference: string): PluginRunnerError {
  return new PluginRunnerError("PATH_FORBIDDEN", `${reference} leads out of the plugin roots.`, {
    metadata: { plugin: reference },
  });
}
