import { posix } from "node:path";

const endings =
  /\.(py[iwx]?|ipynb|[cm]?[jt]sx?|ya?ml|toml|cfg|ini|lock|so|pyd|dll|dylib|node|wasm|sh|proto|template|j2|jinja2?)$/i;
const names =
  /^(requirements[^/]*|constraints[^/]*|Pipfile|(package|package-lock|npm-shrinkwrap|[jt]sconfig[^/]*)\.json|\..*ignore)$/i;

/** Whether a file of a plugin, by its relative path, is code or says how code is loaded: only people write such. */
export function isCode(name: string): boolean {
  return endings.test(name) || names.test(posix.basename(name));
}
