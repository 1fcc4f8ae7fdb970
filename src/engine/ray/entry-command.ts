import type { JsonObject } from "@bufbuild/protobuf";

/** What a `runtime_env` has that brings a Python of its own, which stands first on PATH. */
const ownPython = ["pip", "uv", "conda", "image_uri", "container"];

/**
 * The interpreter of the process that started this one, which is Ray's: that of the environment whose library it has
 * loaded, or its own program. A Ray that was started by its path may have another `python`, or none, on PATH.
 */
const raysPython = [
  "p=$(sed -n 's|.* \\(/.*\\)/lib[^/]*/python[^/]*/site-packages/ray/_raylet.so$|\\1/bin/python|p' /proc/$PPID/maps | head -n 1)",
  '[ -x "$p" ] || p=$(readlink /proc/$PPID/exe)',
  'case "$p" in */python*) ;; *) p=python;; esac',
].join("; ");

/**
 * The command of a Ray job that runs a module of the worker library.
 * @param python the interpreter on the nodes, as a shell takes it. Default: Ray's own.
 */
export function entryCommand(python: string | undefined, environment: JsonObject, module: string): string {
  if (ownPython.some((key) => key in environment)) return `exec python -m ${module}`;
  if (python !== undefined) return `exec ${python} -m ${module}`;
  return `${raysPython}; exec "$p" -m ${module}`;
}
