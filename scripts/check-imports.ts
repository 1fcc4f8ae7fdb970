/**
 * Checks the arrows between the parts of `src`: imports point downward, `job` and `plugin` do not know each other, the
 * engines do not know each other, generated service descriptors stay at the border, and nothing imports in a circle.
 */
import { globSync, readFileSync } from "node:fs";
import { dirname, join, relative } from "node:path";

const root = join(import.meta.dirname, "..");

/** From the top down. A part may import from those below it, and from itself. */
const layers: readonly (readonly string[])[] = [
  ["cli", "client.ts", "browser.ts"],
  ["http"],
  ["grpc"],
  ["runner"],
  ["engine"],
  ["job", "plugin"],
  ["worker"],
  ["runtime"],
  // What both ends of a worker's pipe speak: types, which the end inside the worker needs as well.
  ["worker/messages.ts"],
  ["storage-error.ts"],
  ["errors.ts"],
  ["util"],
];

/** Who must not import whom although the layers would allow it. */
const forbidden: readonly (readonly [from: string, to: string])[] = [
  ["src/engine/embedded/", "src/engine/ray/"],
  ["src/engine/ray/", "src/engine/embedded/"],
  ["src/engine/embedded/", "src/engine/local/"],
  ["src/engine/ray/", "src/engine/local/"],
];

/** The only files that may say what is served: everything else knows messages alone. */
const descriptorUsers = /^src\/(grpc|http)\//;

interface Import {
  from: string;
  to: string;
  names: string;
  typeOnly: boolean;
}

const files = globSync("src/**/*.ts", { cwd: root }).sort();
const imports = files.flatMap(importsOf);
const faults = [...imports.flatMap(checkArrow), ...circles(imports.filter((one) => !one.typeOnly))];
for (const fault of faults) console.error(fault);
console.log(`${files.length} files, ${imports.length} imports, ${faults.length} faults`);
process.exitCode = faults.length > 0 ? 1 : 0;

function importsOf(file: string): Import[] {
  const text = readFileSync(join(root, file), "utf8");
  const pattern = /^(?:import|export)\s+(type\s+)?([^;]*?)\s*from\s+"(\.[^"]+)"|import\("(\.[^"]+)"\)/gm;
  return [...text.matchAll(pattern)].map(([, type, names = "", path = "", dynamic = ""]) => ({
    from: file,
    to: relative(root, join(root, dirname(file), path || dynamic)),
    names,
    // What is loaded when it is needed cannot be needed while modules are loaded.
    typeOnly: type !== undefined || dynamic !== "",
  }));
}

function checkArrow({ from, to, names }: Import): string[] {
  if (to.startsWith("gen/")) {
    const isDescriptor = /\bPluginRunner\b/.test(names) && !descriptorUsers.test(from);
    return isDescriptor ? [`${from}: the service descriptor belongs to src/grpc and src/http`] : [];
  }
  if (forbidden.some(([a, b]) => from.startsWith(a) && to.startsWith(b))) return [`${from} must not import ${to}`];
  const [above, below] = [layerOf(from), layerOf(to)];
  if (partOf(from) === partOf(to) || above < below) return [];
  return [`${from} must not import ${to}: imports point downward`];
}

function partOf(file: string): string {
  const path = relative("src", file);
  return layers.flat().find((part) => part === path) ?? path.split("/")[0] ?? path;
}

function layerOf(file: string): number {
  const layer = layers.findIndex((parts) => parts.includes(partOf(file)));
  if (layer < 0) throw new Error(`${file} is in no layer: add it to the table of scripts/check-imports.ts.`);
  return layer;
}

function circles(edges: readonly Import[]): string[] {
  const found: string[] = [];
  const done = new Set<string>();
  const visit = (file: string, path: readonly string[]): void => {
    const at = path.indexOf(file);
    if (at >= 0) found.push(`a circle: ${[...path.slice(at), file].join(" → ")}`);
    if (at >= 0 || done.has(file)) return;
    for (const edge of edges) if (edge.from === file) visit(edge.to, [...path, file]);
    done.add(file);
  };
  for (const file of files) visit(file, []);
  return found;
}
