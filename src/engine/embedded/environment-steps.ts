import { existsSync } from "node:fs";
import { copyFile, readFile, writeFile } from "node:fs/promises";
import { dirname, join, resolve } from "node:path";
import type { Requirements } from "../../plugin/plugin.ts";
import { findOnPath } from "../../util/find-on-path.ts";
import { isObject } from "../../util/is-object.ts";

/** One command of a build. */
export interface BuildStep {
  /** The program as its users call it, for messages. */
  name: string;
  file: string;
  args: string[];
  /** Where relative paths of the requirements start. */
  cwd: string;
}

/** The commands that build an environment in a folder, which exists and is empty. */
export function buildSteps(requirements: Requirements, folder: string, python: string): Promise<BuildStep[]> {
  return requirements.manager === "npm" ? npmSteps(requirements, folder) : pythonSteps(requirements, folder, python);
}

async function pythonSteps(requirements: Requirements, folder: string, python: string): Promise<BuildStep[]> {
  const { manager, file, options, wheelsDir } = requirements;
  const cwd = dirname(file);
  const own = join(folder, "bin", "python");
  const wheels = wheelsDir === "" ? [] : ["--find-links", wheelsDir];
  const uv = findOnPath("uv");
  // Options are written for the manager that the plugin names.
  if (uv !== undefined && (manager === "uv" || options.length === 0)) {
    const args = ["pip", "install", "--python", own, ...wheels, ...options, "-r", file];
    return [
      { name: "uv", file: uv, args: ["venv", "--allow-existing", "--python", python, folder], cwd },
      { name: "uv", file: uv, args, cwd },
    ];
  }
  // What pip compiles would stand beside the code, where the plugin's processes do not look for it.
  const quiet = ["--disable-pip-version-check", "--no-input", "--no-compile"];
  return [
    { name: "venv", file: python, args: ["-m", "venv", folder], cwd },
    { name: "pip", file: own, args: ["-m", "pip", "install", ...quiet, ...wheels, ...options, "-r", file], cwd },
  ];
}

async function npmSteps({ file, options }: Requirements, folder: string): Promise<BuildStep[]> {
  const source = dirname(file);
  const npm = findOnPath("npm") ?? "npm";
  const locked = await copyManifests(source, folder);
  const quiet = ["--omit=dev", "--no-audit", "--no-fund", "--install-links"];
  return [{ name: "npm", file: npm, args: [locked ? "ci" : "install", ...quiet, ...options], cwd: folder }];
}

/** Copies what npm reads, and returns whether a lock file is part of it. */
async function copyManifests(source: string, folder: string): Promise<boolean> {
  const text = await readFile(join(source, "package.json"), "utf8");
  const manifest: unknown = JSON.parse(text);
  const changed = isObject(manifest) && relocate(manifest, source);
  if (existsSync(join(source, ".npmrc"))) await copyFile(join(source, ".npmrc"), join(folder, ".npmrc"));
  const lock = ["npm-shrinkwrap.json", "package-lock.json"].find((name) => existsSync(join(source, name)));
  if (lock !== undefined && !changed) {
    await writeFile(join(folder, "package.json"), text);
    await copyFile(join(source, lock), join(folder, lock));
    return true;
  }
  // Without a lock file, which would name what was changed, npm looks up also what it is told to leave out.
  if (isObject(manifest)) delete manifest.devDependencies;
  await writeFile(join(folder, "package.json"), JSON.stringify(manifest));
  return false;
}

/** Makes relative paths absolute, and leaves out this project's own package: plugins get it from the service. */
function relocate(manifest: Record<string, unknown>, source: string): boolean {
  let changed = false;
  for (const key of ["dependencies", "optionalDependencies", "peerDependencies"]) {
    const section = manifest[key];
    if (!isObject(section)) continue;
    if ("plugin-runner" in section) {
      delete section["plugin-runner"];
      changed = true;
    }
    for (const [name, range] of Object.entries(section)) {
      const path =
        typeof range === "string" ? /^(?:file:)?(\.{1,2}\/.*|(?<=file:)[^/].*)$/.exec(range)?.[1] : undefined;
      if (path === undefined) continue;
      section[name] = `file:${resolve(source, path)}`;
      changed = true;
    }
  }
  return changed;
}
