import { existsSync, realpathSync, statSync } from "node:fs";
import { join, sep } from "node:path";
import type { Language } from "../worker/messages.ts";

/** Where an action's code is: a Python module or a JavaScript file, and the name in it. */
export interface Entrypoint {
  language: Language;
  /** `package.module`, or `./file.js`. */
  module: string;
  /** May be dotted in Python; `default` where JavaScript names none. */
  name: string;
}

const identifier = "[\\p{ID_Start}_][\\p{ID_Continue}]*";
const dotted = `${identifier}(?:\\.${identifier})*`;
const python = new RegExp(`^(${dotted})(?::(${dotted})|\\.(${identifier}))$`, "u");
const javascript = new RegExp(`^(?:\\./)?((?:[^/#\\\\\\0]+/)*[^/#\\\\\\0]+\\.[cm]?[jt]s)(?:#(${identifier}))?$`, "u");

/** Reads `package.module:Name`, `package.module.Name` or `./file.js#name`; undefined when it is none of them. */
export function parseEntrypoint(text: string): Entrypoint | undefined {
  const js = javascript.exec(text);
  if (js?.[1] !== undefined) {
    const hidden = js[1].split("/").some((part) => part === ".." || part === ".");
    return hidden ? undefined : { language: "javascript", module: `./${js[1]}`, name: js[2] ?? "default" };
  }
  const [, module, afterColon, afterDot] = python.exec(text) ?? [];
  const name = afterColon ?? afterDot;
  return module === undefined || name === undefined ? undefined : { language: "python", module, name };
}

/** The real path of the file that holds an entry point's module, or undefined when `root` has none. */
export function entrypointFile(root: string, { language, module }: Entrypoint): string | undefined {
  return language === "javascript" ? existing(join(root, module)) : pythonModuleFile(root, module);
}

/** The real path of the file of a dotted Python module under `root`: of several the one that Python imports. */
function pythonModuleFile(root: string, module: string): string | undefined {
  return pythonModuleFiles(root, module)[0];
}

/** The real paths of all files that could be a dotted Python module under `root`, in Python's order. */
export function pythonModuleFiles(root: string, module: string): string[] {
  const path = join(root, ...module.split("."));
  return [join(path, "__init__.py"), `${path}.so`, `${path}.py`].map(existing).filter((file) => file !== undefined);
}

/** Whether a real path is `folder` or inside it. */
export function isInside(path: string, folder: string): boolean {
  return path === folder || path.startsWith(folder.endsWith(sep) ? folder : folder + sep);
}

function existing(path: string): string | undefined {
  return existsSync(path) && statSync(path).isFile() ? realpathSync(path) : undefined;
}
