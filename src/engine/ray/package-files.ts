import { type Dirent, existsSync, readdirSync } from "node:fs";
import { join, relative } from "node:path";
import { readTree } from "../../plugin/file-tree.ts";
import type { LoadedPlugin } from "../../plugin/plugin.ts";
import { packageRoot } from "../../util/package-root.ts";

/** A file that goes into a package: its name there, and where it is. */
export interface PackageFile {
  name: string;
  path: string;
}

/** The ending of this program's files: `.ts` in a checkout, `.js` once built. */
const ending = import.meta.filename.slice(import.meta.filename.lastIndexOf("."));
const source = join(import.meta.dirname, "..", "..");

/** What a Node worker or job is made of, relative to the folder of the sources. */
const nodeParts = ["runtime", "util", "worker/messages", "errors"];

/**
 * The files of a plugin, named from the binding's root: its folder, or of a module the top folder or file that holds it.
 * None for a module that stands outside the plugin roots: there it has to be installed on the cluster.
 */
export async function pluginFiles({ binding, info }: LoadedPlugin): Promise<PackageFile[]> {
  if (binding.root === "" || info.path === "") return [];
  const [top = ""] = binding.module === "" ? [] : relative(binding.origin ?? binding.root, info.path).split("/");
  const { files } = await readTree(join(binding.root, top));
  return [...files].map(([name, { path }]) => ({ name: [top, name].filter((part) => part !== "").join("/"), path }));
}

/** The library that Python and Node workers are made of. Python imports it; Node's part stands in `plugin_runner/_node`. */
export function libraryFiles(): PackageFile[] {
  const python = filesUnder(join(packageRoot, "python", "plugin_runner"), "plugin_runner").filter(
    ({ name }) => !name.includes("__pycache__"),
  );
  const node = nodeParts.flatMap((part) => {
    const file = { name: `plugin_runner/_node/src/${part}${ending}`, path: join(source, `${part}${ending}`) };
    if (existsSync(file.path)) return [file];
    return filesUnder(join(source, part), `plugin_runner/_node/src/${part}`).filter(({ name }) =>
      name.endsWith(ending),
    );
  });
  const manifest = { name: "plugin_runner/_node/package.json", path: join(packageRoot, "package.json") };
  return [...python, ...node, manifest];
}

/** Every file below a folder. Links to folders are not followed. */
export function filesUnder(folder: string, prefix: string): PackageFile[] {
  return readdirSync(folder, { withFileTypes: true }).flatMap((entry: Dirent) => {
    const file = { name: `${prefix}/${entry.name}`, path: join(folder, entry.name) };
    if (entry.isDirectory()) return filesUnder(file.path, file.name);
    return entry.isFile() ? [file] : [];
  });
}
