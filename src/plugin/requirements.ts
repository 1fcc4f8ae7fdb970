import { createHash } from "node:crypto";
import { existsSync, readdirSync, readFileSync, statSync } from "node:fs";
import { dirname, join } from "node:path";
import { isObject } from "../util/is-object.ts";
import type { Language } from "../worker/messages.ts";
import type { PluginConfig } from "./config.ts";
import type { Requirements } from "./plugin.ts";

/** Plugins find it without installing it. */
const ownPackage = "plugin-runner";

/**
 * What has to be installed for a plugin, as its `requirements.txt` (Python) or `package.json` (JavaScript) says.
 * Undefined when there is nothing to install: no such file, no line in it, or every package is there already.
 */
export function readRequirements(folder: string, language: Language, config: PluginConfig): Requirements | undefined {
  const { packageManagerOptions: options } = config;
  if (language === "javascript") {
    const file = join(folder, "package.json");
    return lacksPackages(folder, file) ? withDigest({ manager: "npm", file, options: [], wheelsDir: "" }) : undefined;
  }
  const file = join(folder, "requirements.txt");
  if (!isFile(file) || !namesPackages(readFileSync(file, "utf8"))) return undefined;
  const wheels = join(folder, config.wheelsDir);
  const wheelsDir = existsSync(wheels) && statSync(wheels).isDirectory() ? wheels : "";
  return withDigest({ manager: config.packageManager, file, options, wheelsDir });
}

function lacksPackages(folder: string, file: string): boolean {
  if (!isFile(file)) return false;
  const manifest = parseJson(readFileSync(file, "utf8"));
  const dependencies = isObject(manifest) && isObject(manifest.dependencies) ? manifest.dependencies : {};
  return Object.keys(dependencies).some((name) => name !== ownPackage && !isInstalled(folder, name));
}

/** As Node looks for packages: in `node_modules` of the folder and of each folder above it. */
function isInstalled(folder: string, name: string): boolean {
  if (existsSync(join(folder, "node_modules", name, "package.json"))) return true;
  const parent = dirname(folder);
  return parent !== folder && isInstalled(parent, name);
}

function namesPackages(requirements: string): boolean {
  return requirements.split("\n").some((line) => /^\s*[^\s#]/.test(line));
}

function withDigest(requirements: Omit<Requirements, "digest">): Requirements {
  const { manager, file, options, wheelsDir } = requirements;
  const hash = createHash("sha256").update(JSON.stringify([manager, options]));
  hash.update(readFileSync(file));
  const lock = join(dirname(file), "package-lock.json");
  if (manager === "npm" && isFile(lock)) hash.update(readFileSync(lock));
  for (const wheel of wheelsDir === "" ? [] : readdirSync(wheelsDir).sort()) {
    const { size, mtimeMs } = statSync(join(wheelsDir, wheel));
    hash.update(`${wheel}\0${size}\0${mtimeMs}\n`);
  }
  return { ...requirements, digest: hash.digest("hex") };
}

function isFile(path: string): boolean {
  return existsSync(path) && statSync(path).isFile();
}

/** A broken manifest needs nothing installed; Node says what is wrong with it when the code is loaded. */
function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
