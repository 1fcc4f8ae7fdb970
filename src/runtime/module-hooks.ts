import { createRequire, type RegisterHooksOptions, registerHooks } from "node:module";
import { basename, dirname, extname, join, sep } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import type { Binding } from "../worker/messages.ts";

type Resolve = NonNullable<RegisterHooksOptions["resolve"]>;
type ResolveContext = Parameters<Resolve>[1];
type NextResolve = Parameters<Resolve>[2];

/** A plugin's code, as the hooks see it. */
interface Scope {
  code: string;
  rootUrl: string;
  /** Where what is linked into the root stands; the root itself where nothing is. */
  originUrl: string;
  packagesUrl: string;
  digest: string;
  packages: string;
}

/** Tells the threads and forks of a process what its code is. */
export const inheritedVariable = "PLUGIN_RUNNER_MODULES";

const require = createRequire(import.meta.url);
const extension = extname(fileURLToPath(import.meta.url));
const library = { url: new URL(`./index${extension}`, import.meta.url).href, format: formatOf(extension) };
const librarySpecifiers: readonly string[] = ["plugin-runner", "plugin-runner/plugin"];

const byDigest = new Map<string, Scope>();
const byRoot = new Map<string, Scope>();
let lastLoaded: string | undefined;

/**
 * Makes a binding's code loadable in this process. Its modules see `plugin-runner` as this very library, and packages of
 * `binding.packages` as well as their own; a new digest makes them be loaded anew.
 */
export function bindModules(binding: Binding): void {
  if (byDigest.get(binding.digest)?.packages === binding.packages) return;
  if (byDigest.size === 0) registerHooks({ resolve, load });
  const scope: Scope = {
    code: binding.code,
    rootUrl: folderUrl(binding.root),
    originUrl: folderUrl(binding.origin ?? binding.root),
    packagesUrl: binding.packages === "" ? "" : folderUrl(binding.packages),
    digest: binding.digest,
    packages: binding.packages,
  };
  if (byRoot.has(scope.rootUrl)) forgetCommonJs(binding.root);
  byDigest.set(scope.digest, scope);
  byRoot.set(scope.rootUrl, scope);
}

/** Makes threads and forks of this process load its code as it does: those that were started with `thread-hooks`. */
export function shareModules(binding: Binding): void {
  process.env[inheritedVariable] = JSON.stringify({ ...binding, env: {} });
}

/** The URL under which a file of a binding is loaded: another one for every digest. */
export function moduleUrl(file: string, digest: string): string {
  return `${pathToFileURL(file).href}?v=${digest}`;
}

/** The file of a plugin that Node read last: the one at fault when it says of none that it cannot be parsed. */
export function lastLoadedFile(): string | undefined {
  return lastLoaded === undefined ? undefined : fileURLToPath(lastLoaded);
}

/** The plugin that a stack leads through, by its code; undefined for none. */
export function pluginOnStack(stack: string): string | undefined {
  for (const [url] of stack.matchAll(/file:\/\/[^\s)]+/g)) {
    const scope = scopeOf(url.replace(/(:\d+){1,2}$/, ""));
    if (scope !== undefined) return scope.code;
  }
  return undefined;
}

const resolve: Resolve = (specifier, context, next) => {
  const scope = scopeOf(context.parentURL);
  if (scope === undefined) return next(specifier, context);
  if (librarySpecifiers.includes(specifier)) return { ...library, shortCircuit: true };
  const found = resolveWithPackages(specifier, context, next, scope);
  return isOwnCode(found.url, scope) ? { ...found, url: versioned(found.url, scope.digest) } : found;
};

const load: NonNullable<RegisterHooksOptions["load"]> = (url, context, next) => {
  if (scopeOf(url) !== undefined) lastLoaded = url;
  return next(url, context);
};

/** By the digest that the importing module's URL carries; CommonJS has only its path, and gets the newest. */
function scopeOf(url: string | undefined): Scope | undefined {
  if (url === undefined || !url.startsWith("file:")) return undefined;
  const digest = /[?&]v=([^&#]+)$/.exec(url)?.[1];
  if (digest !== undefined && byDigest.has(digest)) return byDigest.get(digest);
  for (const scope of byRoot.values()) {
    if (isUnder(url, scope) || (scope.packagesUrl !== "" && url.startsWith(scope.packagesUrl))) return scope;
  }
  return undefined;
}

function resolveWithPackages(specifier: string, context: ResolveContext, next: NextResolve, scope: Scope) {
  try {
    return next(specifier, context);
  } catch (error) {
    if (scope.packages === "" || !isBare(specifier) || !isNotFound(error)) throw error;
    const from = join(basename(scope.packages) === "node_modules" ? dirname(scope.packages) : scope.packages, "_");
    try {
      if (!context.conditions.includes("require"))
        return next(specifier, { ...context, parentURL: pathToFileURL(from).href });
      return { url: pathToFileURL(createRequire(from).resolve(specifier)).href, shortCircuit: true };
    } catch (elsewhere) {
      throw isNotFound(elsewhere) ? error : elsewhere; // the first names the plugin's own file
    }
  }
}

/** Packages of the plugin keep their URL: they are large, and change with their own version. */
function isOwnCode(url: string, scope: Scope): boolean {
  return isUnder(url, scope) && !url.includes("/node_modules/");
}

function isUnder(url: string, { rootUrl, originUrl }: Scope): boolean {
  return url.startsWith(rootUrl) || url.startsWith(originUrl);
}

function versioned(url: string, digest: string): string {
  return `${url}${url.includes("?") ? "&" : "?"}v=${digest}`;
}

/** CommonJS is cached by path alone. */
function forgetCommonJs(root: string): void {
  for (const file of Object.keys(require.cache)) {
    if (file.startsWith(root + sep) && !file.includes(`${sep}node_modules${sep}`)) delete require.cache[file];
  }
}

function isBare(specifier: string): boolean {
  return /^[@\w]/.test(specifier) && !/^[a-z]+:/i.test(specifier);
}

function isNotFound(error: unknown): boolean {
  return error instanceof Error && "code" in error && /^(ERR_)?MODULE_NOT_FOUND$/.test(String(error.code));
}

function folderUrl(folder: string): string {
  return pathToFileURL(folder + sep).href;
}

function formatOf(extension: string): string {
  return extension === ".ts" ? "module-typescript" : "module";
}
