import { mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { basename, dirname, join, resolve } from "node:path";
import { packageRoot } from "../util/package-root.ts";
import { oneArgument } from "./one-argument.ts";
import { type Option, readArguments } from "./options.ts";
import { print } from "./terminal.ts";
import { UsageError } from "./usage-error.ts";
import type { Verb } from "./verb.ts";

const options = [
  {
    name: "language",
    type: "string",
    choices: ["python", "typescript"],
    default: "python",
    description: "The language to write actions in.",
  },
  { name: "json", type: "boolean", description: "Print JSON to standard output." },
] as const satisfies readonly Option[];

export const verb: Verb = {
  usage: "NAME",
  description: "Makes a folder with a plugin that runs at once: a configuration, an action with params, a README.",
  options,
  examples: [
    ["init my-plugin", "make a plugin in Python"],
    ["init plugins/my-plugin --language typescript", "make one in TypeScript, in another folder"],
  ],
  async run(args, io) {
    const { values, positionals } = readArguments(options, args, io.env);
    const folder = resolve(oneArgument(positionals, "plugin"));
    const code = codeOf(folder);
    const files = render(join(packageRoot, "templates", values.language), { code, name: titleOf(code) });
    makeFolder(folder);
    for (const [file, text] of files) {
      mkdirSync(dirname(join(folder, file)), { recursive: true });
      writeFileSync(join(folder, file), text, { flag: "wx" });
    }
    const paths = files.map(([file]) => join(folder, file));
    await print(io.stdout, values.json ? JSON.stringify({ code, folder, files: paths }) : paths.join("\n"));
    io.stderr.write(`\nServe it:  plugin-runner serve --root ${dirname(folder)}\n`);
    io.stderr.write(`Run it:    plugin-runner run ${code} greet --param name=Ada\n`);
    return 0;
  },
};

function codeOf(folder: string): string {
  const code = basename(folder);
  if (/^[A-Za-z][A-Za-z0-9_-]{0,62}$/.test(code)) return code;
  throw new UsageError(`A plugin's name has letters, digits, - and _, and starts with a letter; ${code} does not.`);
}

/** `my-plugin` as `My plugin`. */
function titleOf(code: string): string {
  const words = code.replaceAll(/[-_]+/g, " ").trim();
  return words.charAt(0).toUpperCase() + words.slice(1);
}

/** The files of a template, by relative path, with their variables filled in. */
function render(template: string, variables: Record<string, string>): [file: string, text: string][] {
  return readdirSync(template, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name))
    .toSorted()
    .map((path) => {
      const text = readFileSync(path, "utf8").replaceAll(/\{\{(\w+)\}\}/g, (_, name: string) => variables[name] ?? "");
      return [path.slice(template.length + 1), text];
    });
}

/** Makes the folder, or takes it when it is empty: nothing is ever overwritten. */
function makeFolder(folder: string): void {
  mkdirSync(folder, { recursive: true });
  if (readdirSync(folder).length > 0) throw new UsageError(`${folder} exists and is not empty.`);
}
